"""Linear layers, norm and table as nodes, one by one."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch.nn import functional

from tests.export import cases
from whisper_qat.export.onnx import layers
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.weights import Weights
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant import (
    block_activation,
    block_weight,
    channel_weight,
    dynamic_activation,
    row_activation,
)
from whisper_qat.quant.numerics import of_weight

LOOKUPS = [cases.INT8, cases.INT4, cases.ROW, cases.SEVEN]
FLOAT_NOISE = 1e-5
RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def run(tmp_path, feeds, build, weights):
    """Builds y = build(g, input name) and runs it."""
    (name, value), *_ = feeds.items()
    with ExternalData(tmp_path / "m.onnx_data") as data:
        g = Graph("m", data)
        dtype = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        x = g.input(name, dtype, [f"axis{i}" for i in range(value.ndim)])
        g.output(build(g, x, weights), "y", TensorProto.FLOAT, None)
        g.save(tmp_path / "m.onnx")
    weights.check_all_used()
    return cases.session(tmp_path / "m.onnx").run(["y"], feeds)[0]


@pytest.mark.parametrize("bias", [True, False])
def test_float_linear(tmp_path, bias):
    x, w, b = normal(2, 3, 40), normal(24, 40), normal(24)
    weights = Weights({"a.weight": w} | ({"a.bias": b} if bias else {}), {})
    actual = run(
        tmp_path, {"x": x}, lambda g, x, ws: layers.linear(g, x, "a", ws, bias=bias), weights
    )
    assert cases.difference(actual, x @ w.T + (b if bias else 0)) < FLOAT_NOISE


@pytest.mark.parametrize("scheme", [cases.INT8, cases.INT4], ids=lambda s: s.name)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("width", [64, 72], ids=["even", "K not a multiple of the block"])
def test_quantized_linear_is_level_four(tmp_path, scheme, bias, width):
    x, w, b = normal(2, 3, width), normal(24, width), normal(24)
    named = {"a.weight": w} | ({"a.bias": b} if bias else {})
    weights = Weights(named, {"a": cases.quantize(w, scheme)})
    actual = run(
        tmp_path, {"x": x}, lambda g, x, ws: layers.linear(g, x, "a", ws, bias=bias), weights
    )
    on_grid = block_activation.fake_quantize(torch.from_numpy(x), scheme.block_size)
    weight = block_weight.fake_quantize(torch.from_numpy(w), scheme)
    expected = functional.linear(on_grid, weight, torch.from_numpy(b) if bias else None)
    assert cases.difference(actual, expected.numpy()) < FLOAT_NOISE


@pytest.mark.parametrize("bias", [True, False])
def test_dynamic_linear_has_one_range_a_call(tmp_path, bias):
    """The extremes of both codes, where u8 x s8 would saturate without VNNI, are among them."""
    x, w, b = normal(1, 30, 72), normal(24, 72), normal(24)
    x[0, 0], w[0] = 5.0, 3.0
    named = {"a.weight": w} | ({"a.bias": b} if bias else {})
    weights = Weights(named, {"a": cases.quantize(w, cases.DYNAMIC)})
    actual = run(
        tmp_path, {"x": x}, lambda g, x, ws: layers.linear(g, x, "a", ws, bias=bias), weights
    )
    on_grid = dynamic_activation.fake_quantize(torch.from_numpy(x))
    weight = channel_weight.fake_quantize(torch.from_numpy(w), cases.DYNAMIC)
    expected = functional.linear(on_grid, weight, torch.from_numpy(b) if bias else None)
    assert cases.difference(actual, expected.numpy()) < FLOAT_NOISE


@pytest.mark.parametrize("bias", [True, False])
def test_row_linear_has_one_scale_a_row(tmp_path, bias):
    x, w, b = normal(2, 5, 72), normal(24, 72), normal(24)
    x *= np.logspace(-3, 3, 10, dtype=np.float32).reshape(2, 5, 1)
    x[1, 2], w[0] = 0.0, 3.0
    named = {"a.weight": w} | ({"a.bias": b} if bias else {})
    weights = Weights(named, {"a": cases.quantize(w, cases.ROW)})
    actual = run(
        tmp_path, {"x": x}, lambda g, x, ws: layers.linear(g, x, "a", ws, bias=bias), weights
    )
    on_grid = row_activation.fake_quantize(torch.from_numpy(x))
    weight = channel_weight.fake_quantize(torch.from_numpy(w), cases.ROW)
    expected = functional.linear(on_grid, weight, torch.from_numpy(b) if bias else None).numpy()
    for row, wanted in zip(actual.reshape(10, -1), expected.reshape(10, -1), strict=True):
        assert np.linalg.norm(row - wanted) <= FLOAT_NOISE * np.linalg.norm(wanted)


def test_layers_of_one_input_share_its_rounding(tmp_path):
    x, w = normal(1, 3, 64), normal(24, 64)
    weights = Weights({}, {name: cases.quantize(w, cases.ROW) for name in ("a", "b")})

    def build(g, x, ws):
        a, b = (layers.linear(g, x, name, ws, bias=False) for name in ("a", "b"))
        assert [node.op_type for node in g._nodes].count("QuantizeLinear") == 1
        return g.op("Sub", a, b)

    assert (run(tmp_path, {"x": x}, build, weights) == 0).all()


@pytest.mark.parametrize("scheme", LOOKUPS, ids=lambda s: s.name)
@pytest.mark.parametrize("width", [64, 72], ids=["even", "K not a multiple of the block"])
def test_quantized_table_is_read_bit_for_bit(tmp_path, scheme, width):
    w = normal(50, width)
    ids = np.array([[0, 49, 7], [3, 3, 1]], dtype=np.int64)
    weights = Weights({f"{TABLE}.weight": w}, {TABLE: cases.quantize(w, scheme)})
    actual = run(tmp_path, {"x": ids}, lambda g, x, ws: layers.TokenTable(g, ws).embed(x), weights)
    grid = of_weight(scheme).fake_quantize(torch.from_numpy(w), scheme)
    assert (actual == grid.numpy()[ids]).all()


def test_layer_norm_and_mlp(tmp_path):
    names = {"norm.weight": normal(16), "norm.bias": normal(16)}
    names |= {"fc1.weight": normal(24, 16), "fc1.bias": normal(24)}
    names |= {"fc2.weight": normal(16, 24), "fc2.bias": normal(16)}
    weights = Weights({f"l.{n}": v for n, v in names.items()}, {})
    x = normal(2, 3, 16)

    def build(g, x, ws):
        return layers.mlp(g, layers.layer_norm(g, x, "l.norm", ws), "l", ws)

    actual = run(tmp_path, {"x": x}, build, weights)
    t = {n: torch.from_numpy(v) for n, v in names.items()}
    y = functional.layer_norm(torch.from_numpy(x), (16,), t["norm.weight"], t["norm.bias"])
    y = functional.gelu(functional.linear(y, t["fc1.weight"], t["fc1.bias"]))
    expected = functional.linear(y, t["fc2.weight"], t["fc2.bias"]).numpy()
    assert cases.difference(actual, expected) < FLOAT_NOISE
