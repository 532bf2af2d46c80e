"""Block schemes as nodes: what is written reads back as the scheme, and keeps its codes in float.

What the nodes compute is tested in `tests.export.onnx.test_layers`.
"""

import pytest

from tests.export.onnx.schemes import one_layer
from whisper_qat.export.onnx.schemes import block
from whisper_qat.export.onnx.schemes.nodes import attributes
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant.block_scheme import BlockScheme, pack

SCHEMES = pytest.mark.parametrize(
    "scheme", [BlockScheme(), BlockScheme(4, 16), BlockScheme(2, 64)], ids=lambda s: s.name
)


@SCHEMES
def test_a_product_reads_back(scheme, tmp_path):
    graph, index = one_layer.product(scheme, tmp_path)
    node = index.named[one_layer.NAME]
    assert node.op_type == block.PRODUCT and block.layer_nodes(node, index) == ("x", [node])
    written = block.written_weight(node, index, one_layer.stored(graph))
    assert written.scheme == scheme and written.in_features == one_layer.WIDTH
    expected = one_layer.weights(one_layer.NAME, scheme, False).quantized(one_layer.NAME)
    assert (pack(written.codes, scheme) == expected.packed).all()
    assert (written.scales == expected.scales).all()
    assert block.written_bias(node, index) == f"{one_layer.NAME}.bias"
    assert block.product_settings(scheme).items() <= attributes(node).items()


def test_scales_in_two_bytes_are_another_scheme(tmp_path):
    scheme = BlockScheme(scale_dtype="float16")
    graph, index = one_layer.product(scheme, tmp_path, bias=False)
    node = index.named[one_layer.NAME]
    written = block.written_weight(node, index, one_layer.stored(graph))
    assert written.scheme == scheme and written.scales.dtype == "float32"
    assert block.written_bias(node, index) is None


@SCHEMES
def test_float_activations_are_another_level_of_the_same_product(scheme, tmp_path):
    _, index = one_layer.product(scheme, tmp_path)
    node = index.named[one_layer.NAME]
    ((replacement,),) = block.with_float_activations(node, index).values()
    assert attributes(replacement) == {**attributes(node), "accuracy_level": block.LEVEL_FP32}
    assert attributes(node)["accuracy_level"] == block.LEVEL_INT8
    assert replacement.input == node.input and replacement.name == node.name


@SCHEMES
def test_a_lookup_reads_tokens_and_rounds_nothing(scheme, tmp_path):
    _, index = one_layer.lookup(scheme, tmp_path)
    node = index.named[TABLE]
    assert node.op_type == block.LOOKUP and block.layer_nodes(node, index) == ("ids", [node])
    assert block.lookup_settings(scheme).items() <= attributes(node).items()
    assert block.with_float_activations(node, index) == {TABLE: [node]}
