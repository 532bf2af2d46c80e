"""int8-row and int7-row as nodes: a layer is found whole, from rounding its rows to its bias.

What the nodes compute is tested in `tests.export.onnx.test_layers`.
"""

import pytest

from tests.export import cases
from tests.export.onnx.schemes import one_layer
from whisper_qat.export.onnx.schemes import row
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant.channel_scheme import pack

BIAS = pytest.mark.parametrize("bias", [True, False])


@BIAS
@pytest.mark.parametrize("scheme", [cases.ROW, cases.SEVEN], ids=lambda scheme: scheme.name)
def test_a_product_reads_back(scheme, bias, tmp_path):
    graph, index = one_layer.product(scheme, tmp_path, bias)
    node = index.named[one_layer.NAME]
    assert node.op_type == row.PRODUCT and row.product_settings(scheme) == {}
    written = row.written_weight(node, index, one_layer.stored(graph))
    expected = one_layer.weights(one_layer.NAME, scheme, False).quantized(one_layer.NAME)
    assert written.scheme == scheme and written.in_features == one_layer.WIDTH
    assert (pack(written.codes, scheme) == expected.packed).all()
    assert (written.scales == expected.scales).all()
    assert row.written_bias(node, index) == (f"{one_layer.NAME}.bias" if bias else None)


@BIAS
def test_a_layer_is_all_its_nodes_in_order(bias, tmp_path):
    graph, index = one_layer.product(cases.ROW, tmp_path, bias)
    x, nodes = row.layer_nodes(index.named[one_layer.NAME], index)
    assert x == "x" and nodes[-1].op_type == ("Add" if bias else "Mul")
    written = [node.name for node in graph.node if node.op_type != "Identity"]
    assert sorted(node.name for node in nodes) == sorted(written)
    known = {"x", *(tensor.name for tensor in graph.initializer)}
    for node in nodes:
        assert set(node.input) <= known
        known |= set(node.output)


@pytest.mark.parametrize("scheme", [cases.ROW, cases.SEVEN], ids=lambda scheme: scheme.name)
def test_a_lookup_gives_the_values_of_tokens(scheme, tmp_path):
    graph, index = one_layer.lookup(scheme, tmp_path)
    node = index.named[TABLE]
    x, nodes = row.layer_nodes(node, index)
    assert node.op_type == row.LOOKUP and x == "ids" and row.lookup_settings(scheme) == {}
    written = [node.name for node in graph.node if node.op_type != "Identity"]
    assert sorted(node.name for node in nodes) == sorted(written)
    assert row.with_float_activations(node, index) == {}


@BIAS
def test_float_activations_drop_the_rows_scales(bias, tmp_path):
    _, index = one_layer.product(cases.ROW, tmp_path, bias)
    node = index.named[one_layer.NAME]
    replaced = row.with_float_activations(node, index)
    assert [n.op_type for n in replaced[node.name]] == ["Cast", "Mul", "MatMul"]
    assert replaced[node.name][-1].input[0] == "x"
    (passed_on,) = replaced[f"{node.name}/rows"]
    assert passed_on.op_type == "Identity" and passed_on.input == node.output
