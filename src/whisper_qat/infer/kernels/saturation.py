"""Detect CPUs whose u8 x s8 product saturates: x64 without VNNI adds two products in int16.

onnxruntime's option against it (`session.x64quantprecision`) turns int8 weights into uint8, whose
product is exact on every CPU and 2.5 times slower on one with VNNI (Whisper base, 1500 rows: 150
against 380 GOP/s): it is set only where sums of the largest codes come out wrong.
"""

from functools import cache

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROWS = (1, 64)  # a vector and a matrix, which have separate kernels
WIDTH = 64
LARGEST_U8, LARGEST_S8 = 255, 127


@cache
def saturates() -> bool:
    """True when an int8 product of the largest codes is wrong without the option."""
    product = _product()
    return any(wrong(product, rows) for rows in ROWS)


def wrong(product: ort.InferenceSession, rows: int) -> bool:
    """Whether a product of `rows` rows of the largest codes differs from the one in int64."""
    x = np.full((rows, WIDTH), LARGEST_U8, np.uint8)
    (y,) = product.run(None, {"x": x})
    return bool((y != x.astype(np.int64) @ weights().astype(np.int64)).any())


def weights() -> np.ndarray:
    """int8 [WIDTH, WIDTH]: columns of the largest code, every other one negative."""
    columns = np.full((WIDTH, WIDTH), LARGEST_S8, np.int8)
    columns[:, ::2] = -LARGEST_S8
    return columns


def _product() -> ort.InferenceSession:
    """MatMulInteger with onnxruntime's default options, as the pinned ones depend on the result."""
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "saturation",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["rows", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, ["rows", WIDTH])],
        [numpy_helper.from_array(weights(), "w")],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    content = model.SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
