"""The nodes part of a record: found by scheme and by operator, and what two of them share."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.export import cases
from whisper_qat.export.onnx.graph import IR_VERSION, OPSET
from whisper_qat.export.onnx.schemes import block, dynamic, row, two_level
from whisper_qat.export.onnx.schemes.nodes import (
    NodeIndex,
    float_product,
    lookup_nodes_of,
    nodes_of,
    nodes_of_written,
    scheme_name,
)
from whisper_qat.model.onnx_files import SCHEME_KEY


def test_nodes_are_found_by_scheme():
    assert nodes_of(cases.INT4) is lookup_nodes_of(cases.INT4) is block
    assert nodes_of(cases.DYNAMIC) is dynamic and nodes_of(cases.ROW) is row
    assert nodes_of(cases.TWO_LEVEL) is two_level


@pytest.mark.parametrize(
    ("operator", "scheme", "module"),
    [
        ("MatMulNBits", None, block),
        ("GatherBlockQuantized", None, block),
        ("DynamicQuantizeMatMul", None, dynamic),
        ("MatMulIntegerToFloat", None, row),
        ("MatMulIntegerToFloat", "int7-row", row),
        ("MatMulIntegerToFloat", "int4-row", two_level),
        ("MatMul", None, None),
        ("Gather", None, None),
        ("Gather", "int7-row", row),
    ],
)
def test_the_writer_of_a_node_is_that_of_its_operator_or_of_its_metadata(operator, scheme, module):
    node = helper.make_node(operator, ["x"], ["y"], "layer")
    if scheme:
        node.metadata_props.add(key=SCHEME_KEY, value=scheme)
    assert nodes_of_written(node) is module and scheme_name(node) == scheme


def test_a_scheme_without_a_lookup_is_named():
    with pytest.raises(AssertionError, match="DynamicScheme.*: no lookup"):
        lookup_nodes_of(cases.DYNAMIC)


def test_the_last_of_two_producers_is_kept():
    nodes = [helper.make_node("Neg", ["x"], ["y"], name) for name in ("a", "b")]
    index = NodeIndex.of(iter(nodes))
    assert list(index.named) == ["a", "b"] and index.producers["y"].name == "b"


@pytest.mark.parametrize("bias", [[], ["bias"]])
def test_a_float_product_is_x_times_what_codes_mean(bias):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 8)).astype(np.float32)
    arrays = {
        "codes": rng.integers(-127, 128, (8, 4), dtype=np.int8),
        "scales": rng.random(4, np.float32), "bias": rng.random(4, np.float32),
    }  # fmt: skip
    replaced = helper.make_node("Any", [], ["y"], "layer")
    graph = helper.make_graph(
        list(float_product(replaced, "x", "codes", "scales", bias)), "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(arrays[name], name) for name in ("codes", "scales", *bias)],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    (y,) = cases.session(model.SerializeToString()).run(["y"], {"x": x})
    expected = x @ (arrays["codes"] * arrays["scales"]) + (arrays["bias"] if bias else 0)
    assert cases.difference(y, expected) < 1e-6
