"""Detect CPUs whose u8 x s8 product saturates: x64 without VNNI adds two products in int16.

onnxruntime's option against it (`session.x64quantprecision`) turns int8 weights into uint8, whose
product is exact on every CPU and 2.5 times slower on one with VNNI (Whisper base, 1500 rows: 150
against 380 GOP/s): it is set only where sums of the largest codes come out wrong, and for graphs
with weights beyond seven bits. Two products of 255 and 64 fit in int16.
"""

import os
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from whisper_qat.model.onnx_files import SCHEME_KEY
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.runs.environment import cpu, cpu_kind

ROWS = (1, 64)  # a vector and a matrix, which have separate kernels
WIDTH = 64
LARGEST_U8, LARGEST_S8 = 255, 127
SAFE_S8 = 64  # 2 * 255 * 64 is the largest even sum below 2^15
PRODUCTS = ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger")


@cache
def saturates() -> bool:
    """True when an int8 product of the largest codes is wrong without the option."""
    product = _product()
    return any(wrong(product, rows) for rows in ROWS)


def describe_cpu() -> dict[str, Any]:
    """Name, instruction sets, kind and cores of this CPU; whether its int8 products saturate."""
    here = cpu()
    kind = cpu_kind(here["isa"])
    return here | {"kind": kind, "cores": os.cpu_count() or 1, "saturates": saturates()}


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


def may_saturate(graph: onnx.GraphProto) -> bool:
    """Whether a product of `graph` or its branches may read int8 weights beyond seven bits.

    A product is safe when its metadata names a scheme that has none.
    """
    for node in graph.node:
        if node.op_type in PRODUCTS and not _is_safe(node):
            return True
        branches = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
        if any(map(may_saturate, branches)):
            return True
    return False


def _is_safe(node: onnx.NodeProto) -> bool:
    names = [entry.value for entry in node.metadata_props if entry.key == SCHEME_KEY]
    return any(parse_scheme(name).largest_int8 <= SAFE_S8 for name in names)


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
