"""Probe whether this machine's MatMulNBits rounds activations as training did.

The kernel's activation codes are read from its output: a weight that is the largest code on the
diagonal and zero elsewhere returns each activation's value on its int8 grid. The inputs hold exact
ties, negative extrema, an all-zero block and very different blocks. Expected is the arithmetic of
onnxruntime's CPU kernel at accuracy level 4 (int8 activations, one scale per row and block, half to
even).

A second product checks whether a row's result is bit-identical in a batch. Every row has its own
codes, but some kernels sum its blocks in a different order alone than in a pair or a tile (1e-7 of
the largest sum): with AVX2 those of 4 bits from block 32 on and of 2 bits at block 64, with
AVX512-VNNI those of 4 bits from block 64 on and of 8 bits from block 128 on (onnxruntime 1.31.1).
"""

from functools import cache

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from whisper_qat.infer.onnx.session import session
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.packing import pack

TOLERANCE = 0.25  # in codes: a value rounded differently is off by 1, float noise is at most 0.1
LARGEST = 127  # int8 activation codes are symmetric
ROWS = 5  # batches of 2 to 5 rows include a pair and a four, each also with one row left over
COLUMNS = 40
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]


def fault(scheme: BlockScheme, *, in_branch: bool = False) -> str | None:
    """How MatMulNBits differs from training; None when it does not.

    Branches of `If` are not probed separately, as the kernel is the same there.
    """
    x = probe_input(scheme)
    codes, scale = expected(x, scheme)
    # Every block of a row adds its noise to every output, so the row's largest scale counts.
    tolerance = TOLERANCE * scale.max(axis=1, keepdims=True)
    wrong = np.abs(run_kernel(x, scheme) - codes * scale) > tolerance
    if not wrong.any():
        return None
    return (
        f"MatMulNBits on this machine gives {int(wrong.sum())} of {wrong.size} activations "
        "another code than training did"
    )


def probe_input(scheme: BlockScheme) -> NDArray[np.float32]:
    """Probe input float32 [3, 2 * block]: ties, outliers and a zero block, with exact scales."""
    half_steps = np.arange(scheme.block_size, dtype=np.float32) % 64 - 31.5
    half_steps[0] = -LARGEST  # amax 127: the scale is 1, and every other value is a tie
    rows = [half_steps, half_steps[::-1] * 2], [half_steps * 0, half_steps], [-half_steps] * 2
    return np.stack([np.concatenate(row) for row in rows])


def expected(
    x: NDArray[np.float32], scheme: BlockScheme
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Code rint(a * f32(127/amax)) and scale f32(amax/127) of each activation, in x's shape."""
    amax = np.abs(x.reshape(len(x), -1, scheme.block_size)).max(-1)
    amax = np.repeat(amax, scheme.block_size, axis=1)
    factor = np.divide(np.float32(LARGEST), amax, out=np.zeros_like(amax), where=amax > 0)
    codes: NDArray[np.float32] = np.rint(x * factor)
    return codes, (amax / np.float32(LARGEST)).astype(np.float32)


def run_kernel(x: NDArray[np.float32], scheme: BlockScheme) -> NDArray[np.float32]:
    """Run `x` through MatMulNBits with an identity weight (largest code times its inverse)."""
    size = x.shape[1]
    top = scheme.max_code - scheme.zero_point
    codes = np.full((size, size), scheme.zero_point, dtype=np.uint8)
    np.fill_diagonal(codes, scheme.max_code)
    scales = np.full(size * scheme.num_blocks(size), 1 / top, dtype=np.float32)
    return product(codes, scales, scheme).run(None, {"x": x})[0]


@cache
def same_bits_beside_others(scheme: BlockScheme) -> bool:
    """Whether a row of MatMulNBits is bit-identical in every batch, tested on noise.

    The noise covers many blocks, as with two there is only one order of summation.
    """
    rng = np.random.default_rng(0)
    width = 4 * scheme.block_size
    codes = rng.integers(0, scheme.max_code + 1, (COLUMNS, width)).astype(np.uint8)
    scales = rng.normal(size=COLUMNS * scheme.num_blocks(width)).astype(np.float32)
    x = rng.normal(size=(ROWS, width)).astype(np.float32)
    return rows_agree(product(codes, scales, scheme), x)


def rows_agree(runtime: ort.InferenceSession, x: NDArray[np.float32]) -> bool:
    """Whether the first 2, 3, ... rows of `x` in one call give each row's own bits."""
    alone = np.concatenate([runtime.run(None, {"x": row[None]})[0] for row in x])
    counts = range(2, len(x) + 1)
    return all((runtime.run(None, {"x": x[:n]})[0] == alone[:n]).all() for n in counts)


def product(
    codes: NDArray[np.uint8], scales: NDArray[np.float32], scheme: BlockScheme
) -> ort.InferenceSession:
    """A session of MatMulNBits, x -> y, with weight `codes` [N, K] and `scales` [N * blocks]."""
    columns, width = codes.shape
    node = helper.make_node(
        "MatMulNBits", ["x", "codes", "scales"], ["y"], domain="com.microsoft",
        K=width, N=columns, bits=scheme.bits, block_size=scheme.block_size, accuracy_level=4,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "block_check",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", columns])],
        [
            numpy_helper.from_array(pack(codes, scheme), "codes"),
            numpy_helper.from_array(scales, "scales"),
        ],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    return session(model.SerializeToString(), 1)
