"""Activation codes of block schemes, read through `MatMulNBits` over one block."""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from torch import Tensor

from whisper_qat.infer.kernels import block_check
from whisper_qat.parity.codes import rows_alone
from whisper_qat.quant import block_activation, blocks
from whisper_qat.quant.block_scheme import BlockScheme


def count_wrong(x: Tensor, scheme: BlockScheme) -> int:
    """Number of codes of `x` [M, K] that the kernel rounds differently from torch."""
    _, multiplier = block_activation.choose_params(x, scheme.block_size)
    codes = block_activation.quantize(x, multiplier, scheme.block_size).numpy()
    rows, scale = _in_blocks(x, scheme)
    seen = _kernel_codes(_identity(scheme), rows, scale, scheme)
    return int((seen != codes.reshape(rows.shape)).sum())


def count_moved(x: Tensor, scheme: BlockScheme) -> int:
    """Number of codes in a few blocks of `x` [M, K] that change when the block is run alone."""
    rows, scale = _in_blocks(x, scheme)
    kernel = _identity(scheme)
    return rows_alone.count_moved(
        len(rows), lambda part: _kernel_codes(kernel, rows[part], scale[part], scheme)
    )


def _in_blocks(x: Tensor, scheme: BlockScheme) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows [R, block] and scales [R, 1], one block per row so that blocks do not mix."""
    scale, _ = block_activation.choose_params(x, scheme.block_size)
    rows = blocks.split(x, scheme.block_size).reshape(-1, scheme.block_size)
    return rows.numpy(), scale.numpy().reshape(-1, 1)


def _kernel_codes(
    kernel: ort.InferenceSession, rows: NDArray[np.float32], scale: NDArray[np.float32],
    scheme: BlockScheme,
) -> NDArray[np.float64]:  # fmt: skip
    """The kernel's codes of `rows` [R, block]."""
    (y,) = kernel.run(None, {"x": rows})
    step = scale.astype(np.float64) * (scheme.zero_point - 1)
    return np.rint(np.divide(y, step, out=np.zeros(y.shape), where=step > 0))


def _identity(scheme: BlockScheme) -> ort.InferenceSession:
    """MatMulNBits over one block with the largest code on the diagonal."""
    size, top = scheme.block_size, scheme.zero_point - 1
    weights = np.full((size, size), scheme.zero_point, np.uint8)
    np.fill_diagonal(weights, scheme.zero_point + top)
    return block_check.product(weights, np.ones(size, np.float32), scheme)
