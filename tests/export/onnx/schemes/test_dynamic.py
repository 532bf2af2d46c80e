"""int8-dynamic as a node: what is written reads back, and has a float product in its place.

What the node computes is tested in `tests.export.onnx.test_layers`.
"""

import pytest

from tests.export import cases
from tests.export.onnx.schemes import one_layer
from whisper_qat.export.onnx.schemes import dynamic
from whisper_qat.export.onnx.schemes.nodes import attributes


@pytest.mark.parametrize(
    ("bias", "name"), [(True, f"{one_layer.NAME}.bias"), (False, None)], ids=["bias", "none"]
)
def test_a_product_reads_back(bias, name, tmp_path):
    graph, index = one_layer.product(cases.DYNAMIC, tmp_path, bias)
    node = index.named[one_layer.NAME]
    assert node.op_type == dynamic.PRODUCT and attributes(node) == {}
    written = dynamic.written_weight(node, index, one_layer.stored(graph))
    assert written.scheme == cases.DYNAMIC and written.in_features == one_layer.WIDTH
    assert dynamic.written_bias(node, index) == name
    assert dynamic.layer_nodes(node, index) == ("x", [node])
    assert dynamic.product_settings(cases.DYNAMIC) == {}


@pytest.mark.parametrize("bias", [True, False])
def test_float_activations_are_a_float_product(bias, tmp_path):
    _, index = one_layer.product(cases.DYNAMIC, tmp_path, bias)
    node = index.named[one_layer.NAME]
    (nodes,) = dynamic.with_float_activations(node, index).values()
    assert [n.op_type for n in nodes] == ["Cast", "Mul", "MatMul"] + bias * ["Add"]
    assert nodes[-1].output == node.output and nodes[2].input[0] == "x"
