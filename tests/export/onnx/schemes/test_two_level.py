"""Two-level schemes as nodes: read back whole, folded to one product, exact in a plain session."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto

from tests.export import cases
from tests.export.onnx.schemes import one_layer
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.layers import linear
from whisper_qat.export.onnx.schemes import row, two_level
from whisper_qat.export.weights import QuantizedWeight, Weights
from whisper_qat.infer.kernels import row_check
from whisper_qat.quant.two_level_scheme import PLANES, TwoLevelScheme, pack

SCHEMES = pytest.mark.parametrize("scheme", [*map(TwoLevelScheme, PLANES)], ids=lambda s: s.name)
DECODING = {"BitShift", "BitwiseAnd", "Sub", "Slice"}


@SCHEMES
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_reads_back(scheme, bias, tmp_path):
    graph, index = one_layer.product(scheme, tmp_path, bias)
    node = index.named[one_layer.NAME]
    assert node.op_type == two_level.PRODUCT and two_level.product_settings(scheme) == {}
    written = two_level.written_weight(node, index, one_layer.stored(graph))
    expected = one_layer.weights(one_layer.NAME, scheme, False).quantized(one_layer.NAME)
    assert written.scheme == scheme and written.in_features == one_layer.WIDTH
    assert (pack(written.codes, scheme) == expected.packed).all()
    assert (written.scales == expected.scales).all()
    assert two_level.written_bias(node, index) == (f"{one_layer.NAME}.bias" if bias else None)


@SCHEMES
def test_a_layer_is_all_its_nodes_in_order(scheme, tmp_path):
    graph, index = one_layer.product(scheme, tmp_path)
    x, nodes = two_level.layer_nodes(index.named[one_layer.NAME], index)
    written = [node.name for node in graph.node if node.op_type != "Identity"]
    assert x == "x" and sorted(node.name for node in nodes) == sorted(written)


@SCHEMES
def test_float_activations_read_the_unpacked_weight(scheme, tmp_path):
    _, index = one_layer.product(scheme, tmp_path)
    node = index.named[one_layer.NAME]
    replaced = two_level.with_float_activations(node, index)
    assert [n.op_type for n in replaced[node.name]] == ["Cast", "Mul", "MatMul"]
    assert replaced[node.name][0].input[0] == node.input[1] == f"{one_layer.NAME}/weight_int8/out"


def written_layer(quantized, folder):
    """A layer without bias, x float32 [1, rows, K] -> y, as a file."""
    path, length = folder / "layer.onnx", quantized.in_features
    weight = np.zeros((quantized.out_features, length), np.float32)
    with ExternalData(folder / "layer.onnx_data") as data:
        g = Graph("layer", data)
        x = g.input("x", TensorProto.FLOAT, [1, "rows", length])
        weights = Weights({"layer.weight": weight}, {"layer": quantized})
        g.output(linear(g, x, "layer", weights, bias=False), "y", TensorProto.FLOAT, None)
        g.save(path)
    return path


def integers(quantized):
    """The weight as int64 [N, K], (code - zero point) * factor, and its channel scales [N]."""
    scheme = quantized.scheme
    codes = two_level.packing.unpack(quantized.packed, scheme).astype(np.int64)
    channel, factors = two_level.packing.split_scales(quantized.scales)
    value = (codes - scheme.zero_point) * np.repeat(factors, scheme.block_size, axis=1)
    return value[:, : quantized.in_features], channel


def plain_session(path, **options):
    """What anyone gets who opens the file with onnxruntime: no option set but these."""
    settings = ort.SessionOptions()
    for name, value in options.items():
        setattr(settings, name, value)
    return ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


@SCHEMES
@pytest.mark.parametrize(("rows", "length"), [(24, 64), (33, 144), (5, 72), (7, 16)])
def test_a_plain_session_is_exact_and_unpacks_once(scheme, rows, length, tmp_path):
    rng = np.random.default_rng(length)
    quantized = cases.quantize(rng.normal(size=(rows, length)).astype(np.float32), scheme)
    path = written_layer(quantized, tmp_path)
    runtime = plain_session(path, optimized_model_filepath=str(tmp_path / "optimized.onnx"))
    for count in (1, 9):
        x = rng.normal(size=(count, length)).astype(np.float32)
        codes, scale = row_check.expected(x)
        weight, channel = integers(quantized)
        sums = codes.astype(np.int64) @ weight.T
        expected = sums.astype(np.float32) * channel * scale
        assert (runtime.run(None, {"x": x[None]})[0][0] == expected).all()
    operators = [node.op_type for node in onnx.load(str(tmp_path / "optimized.onnx")).graph.node]
    assert operators.count(row.PRODUCT) == 1 and not DECODING & set(operators)


@SCHEMES
def test_the_largest_sums_are_exact_in_a_plain_session(scheme, tmp_path):
    """Every weight is 8 times the lowest code or -7 times it, every activation code 255 or 1."""
    length, low = 64, scheme.zero_point
    codes = np.zeros((2, length), np.uint8)  # -zero_point everywhere
    factors = np.array([[-8] * 4, [7] * 4], np.float32)
    scales = factors * np.float32([[1.0], [0.5]])
    quantized = QuantizedWeight(
        packed=pack(codes, scheme), scales=scales, scheme=scheme, in_features=length
    )
    weight, channel = integers(quantized)
    assert (weight[0] == 8 * low).all() and weight.max() <= 64 and (channel == [1.0, 0.5]).all()
    x = np.full((2, length), 127, np.float32)
    x[1, ::2] = -127
    expected = (x @ weight.T.astype(np.float32)) * channel
    runtime = plain_session(written_layer(quantized, tmp_path))
    assert (runtime.run(None, {"x": x[None]})[0][0] == expected).all()


@SCHEMES
def test_bytes_on_disk_are_bits_and_a_quarter(scheme, tmp_path):
    rng = np.random.default_rng(0)
    quantized = cases.quantize(rng.normal(size=(1024, 512)).astype(np.float32), scheme)
    written_layer(quantized, tmp_path)
    size = (tmp_path / "layer.onnx_data").stat().st_size
    assert 8 * size / (1024 * 512) == scheme.bits + 0.25
