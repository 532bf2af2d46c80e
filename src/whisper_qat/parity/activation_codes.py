"""Activation codes, seen through the kernels: weights that pick one column each return them."""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from whisper_qat.infer import dynamic_check
from whisper_qat.infer.session import session
from whisper_qat.quant import block_activation, dynamic_activation
from whisper_qat.quant.packing import pack
from whisper_qat.quant.scheme import BlockScheme, Scheme


def count_wrong(x: Tensor, scheme: Scheme) -> int:
    """Codes of `x` [M, K], one kernel call, that the kernel rounds otherwise than torch."""
    if isinstance(scheme, BlockScheme):
        return _count_wrong_in_blocks(x, scheme)
    scale, zero_point = dynamic_activation.choose_params(x)
    codes = dynamic_activation.quantize(x, scale, zero_point)
    expected = dynamic_activation.dequantize(codes, scale, zero_point).numpy()
    seen = dynamic_check.run_kernel(x.numpy(), np.eye(x.shape[1], dtype=np.int8))
    return int((seen != expected).sum())  # a code less its zero point, times the scale: exact


def _count_wrong_in_blocks(x: Tensor, scheme: BlockScheme) -> int:
    scale, multiplier = block_activation.choose_params(x, scheme.block_size)
    codes = block_activation.quantize(x, multiplier, scheme.block_size).numpy()
    padded = np.zeros(codes.shape, np.float32)
    padded[:, : x.shape[1]] = x.numpy()
    rows = padded.reshape(-1, scheme.block_size)
    seen = _kernel_codes(rows, scale.numpy().reshape(-1, 1), scheme)
    return int((seen != codes.reshape(rows.shape)).sum())


def _kernel_codes(
    rows: NDArray[np.float32], scale: NDArray[np.float32], scheme: BlockScheme
) -> NDArray[np.float64]:
    """The kernel's codes of `rows` [R, block]: one block each, so that no block blurs another."""
    size, top = scheme.block_size, scheme.zero_point - 1
    weights = np.full((size, size), scheme.zero_point, np.uint8)
    np.fill_diagonal(weights, scheme.zero_point + top)
    node = helper.make_node(
        "MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=size, N=size,
        bits=scheme.bits, block_size=size, accuracy_level=4,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "codes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rows.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, rows.shape)],
        [numpy_helper.from_array(pack(weights, scheme), "b"),
         numpy_helper.from_array(np.ones(size, np.float32), "s")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    (y,) = session(model.SerializeToString()).run(None, {"x": rows})
    step = scale.astype(np.float64) * top
    return np.rint(np.divide(y, step, out=np.zeros(y.shape), where=step > 0))
