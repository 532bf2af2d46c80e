"""Does this CPU's u8 x s8 product saturate? An x64 without VNNI adds two products in int16.

onnxruntime's cure (session option `session.x64quantprecision`) turns int8 weights into uint8, whose
product is exact on every CPU and 2.5 times slower on one with VNNI (Whisper base, 1500 rows: 150
against 380 GOP/s): it is asked for only where the largest codes do not add up.
"""

from functools import cache

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROWS = (1, 64)  # a vector and a matrix: kernels of their own
WIDTH = 64
LARGEST_U8, LARGEST_S8 = 255, 127


@cache
def saturates() -> bool:
    """True when an int8 product of the largest codes is wrong without the cure."""
    product = _product()
    return any(wrong(product, rows) for rows in ROWS)


def wrong(product: ort.InferenceSession, rows: int) -> bool:
    """Are sums of `rows` rows of the largest codes another number than in int64?"""
    x = np.full((rows, WIDTH), LARGEST_U8, np.uint8)
    (y,) = product.run(None, {"x": x})
    return bool((y != x.astype(np.int64) @ weights().astype(np.int64)).any())


def weights() -> np.ndarray:
    """int8 [WIDTH, WIDTH]: columns of the largest code, every other one negative."""
    columns = np.full((WIDTH, WIDTH), LARGEST_S8, np.int8)
    columns[:, ::2] = -LARGEST_S8
    return columns


def _product() -> ort.InferenceSession:
    """MatMulInteger with onnxruntime's own options: the pinned ones depend on the answer."""
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
