"""Activation codes, seen through the kernels: weights that pick one column each return them.

Two questions: does a code differ from torch's, and, where the scheme promises that equal rows get
equal codes whatever else is in the call (batch, padding, step), does one move when its row comes
alone. int8-dynamic promises no such thing: its range is that of the call.
"""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from whisper_qat.infer.kernels import dynamic_check, row_check
from whisper_qat.infer.onnx.session import session
from whisper_qat.quant import block_activation, blocks, dynamic_activation, row_activation
from whisper_qat.quant.packing import pack
from whisper_qat.quant.scheme import BlockScheme, RowScheme, Scheme

ALONE = 16  # rows that are run alone


def count_wrong(x: Tensor, scheme: Scheme) -> int:
    """Codes of `x` [M, K], one kernel call, that the kernel rounds otherwise than torch."""
    if isinstance(scheme, BlockScheme):
        return _count_wrong_in_blocks(x, scheme)
    identity = np.eye(x.shape[1], dtype=np.int8)
    if isinstance(scheme, RowScheme):
        return int((row_check.run_kernel(x.numpy(), identity) != _on_rows(x)).sum())
    scale, zero_point = dynamic_activation.choose_params(x)
    codes = dynamic_activation.quantize(x, scale, zero_point)
    expected = dynamic_activation.dequantize(codes, scale, zero_point).numpy()
    seen = dynamic_check.run_kernel(x.numpy(), identity)
    return int((seen != expected).sum())  # a code less its zero point, times the scale: exact


def count_moved(x: Tensor, scheme: Scheme) -> int:
    """Codes of a few rows of `x` [M, K] that the kernel changes when a row comes alone."""
    if isinstance(scheme, RowScheme):
        return _count_moved_rows(x)
    if not isinstance(scheme, BlockScheme):
        return 0
    rows, scale = _in_blocks(x, scheme)
    kernel = _identity(scheme)
    together = _kernel_codes(kernel, rows, scale, scheme)
    chosen = range(0, len(rows), max(1, len(rows) // ALONE))
    alone = [_kernel_codes(kernel, rows[i : i + 1], scale[i : i + 1], scheme) for i in chosen]
    return int((np.concatenate(alone) != together[list(chosen)]).sum())


def _count_wrong_in_blocks(x: Tensor, scheme: BlockScheme) -> int:
    _, multiplier = block_activation.choose_params(x, scheme.block_size)
    codes = block_activation.quantize(x, multiplier, scheme.block_size).numpy()
    rows, scale = _in_blocks(x, scheme)
    seen = _kernel_codes(_identity(scheme), rows, scale, scheme)
    return int((seen != codes.reshape(rows.shape)).sum())


def _count_moved_rows(x: Tensor) -> int:
    identity, rows = np.eye(x.shape[1], dtype=np.int8), x.numpy()
    together = row_check.run_kernel(rows, identity)
    chosen = range(0, len(rows), max(1, len(rows) // ALONE))
    alone = [row_check.run_kernel(rows[i : i + 1], identity) for i in chosen]
    return int((np.concatenate(alone) != together[list(chosen)]).sum())


def _on_rows(x: Tensor) -> NDArray[np.float32]:
    scale, _ = row_activation.choose_params(x)
    return row_activation.dequantize(row_activation.quantize(x, scale), scale).numpy()


def _in_blocks(x: Tensor, scheme: BlockScheme) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows [R, block] and their scales [R, 1]: one block each, so that no block blurs another."""
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
    node = helper.make_node(
        "MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=size, N=size,
        bits=scheme.bits, block_size=size, accuracy_level=4,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "codes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", size])],
        [numpy_helper.from_array(pack(weights, scheme), "b"),
         numpy_helper.from_array(np.ones(size, np.float32), "s")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return session(model.SerializeToString())
