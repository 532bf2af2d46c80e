"""What was written is what is read, and runs node by node."""

import numpy as np
import pytest
import torch

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.read import (
    one_node_model,
    quantized_layers,
    read_codes,
    read_grids,
    read_layer,
)
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant import block_weight
from whisper_qat.quant.numerics import fake_quantize_activation, of_weight

FLOAT_NOISE = 1e-5
BLOCKS = pytest.mark.parametrize("scheme", [cases.INT8, cases.INT4], ids=lambda s: s.name)
CHANNEL = (cases.DYNAMIC, cases.ROW, cases.SEVEN, cases.TWO_LEVEL)
ALL = [cases.INT8, cases.INT4, *CHANNEL]
SCHEMES = pytest.mark.parametrize("scheme", ALL, ids=lambda s: s.name)
CROSS_KEY = "model.decoder.layers.1.encoder_attn.k_proj"  # inside `If`
FC1 = "model.encoder.layers.0.fc1"


@SCHEMES
def test_codes_are_read_back_exactly(tmp_path, scheme):
    model = cases.tiny_whisper(72)
    codes = read_codes(cases.write(model, tmp_path, scheme))
    no_table = set() if scheme.has_lookup else {TABLE}
    assert set(codes) == set(cases.linear_layers(model)) - no_table
    for name in codes:
        weight = model.get_submodule(name).weight.detach()
        scale, _ = of_weight(scheme).choose_params(weight, scheme)
        assert (codes[name] == of_weight(scheme).quantize(weight, scale, scheme).numpy()).all()


def test_grids_tell_which_codes_can_be_compared(tmp_path):
    model = cases.tiny_whisper(64)
    grids = [
        read_grids(cases.write(model, tmp_path / str(i), scheme))[FC1]
        for i, scheme in enumerate(ALL)
    ]
    channel = (1, 255, 64, 64)  # of both: they differ in their activations alone
    rows = [channel, channel, (64, 192, 64, 64), (0, 15, 16, 64)]
    assert grids == [(0, 255, 32, 64), (0, 15, 16, 64), *rows]


def test_float_folder_has_no_codes(tmp_path):
    assert quantized_layers(cases.write(cases.tiny_whisper(), tmp_path)) == []


@pytest.mark.parametrize(
    ("scheme", "name"),
    [(s, n) for s in ALL for n in (FC1, CROSS_KEY, TABLE, HEAD)
     if s.has_lookup or n not in (TABLE, HEAD)],
    ids=str,
)  # fmt: skip
def test_layer_is_read_back(tmp_path, scheme, name):
    model = cases.tiny_whisper()
    layer = read_layer(cases.write(model, tmp_path, scheme), name)
    module = model.get_submodule(name)
    assert (layer.scheme, layer.in_features) == (scheme, 64)
    expected = of_weight(scheme).fake_quantize(module.weight.detach(), scheme)
    codes, scales = torch.from_numpy(layer.codes), torch.from_numpy(layer.scales)
    assert (of_weight(scheme).dequantize(codes, scales, scheme)[:, :64] == expected).all()
    bias = getattr(module, "bias", None)
    assert (layer.bias is None) == (bias is None)
    assert bias is None or (layer.bias == bias.detach().numpy()).all()


def test_unknown_layer(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path, cases.INT8)
    with pytest.raises(InputError, match=r"no quantized node named 'model\.x'"):
        read_layer(folder, "model.x")


def test_folder_without_graphs(tmp_path):
    with pytest.raises(InputError, match=r"encoder_model\.onnx: no such file"):
        read_codes(tmp_path)


@pytest.mark.parametrize(
    ("scheme", "name"),
    [(s, n) for s in ALL for n in (FC1, CROSS_KEY, HEAD) if s not in CHANNEL or n != HEAD],
    ids=str,
)
def test_one_node_runs_the_written_layer(tmp_path, scheme, name):
    model = cases.tiny_whisper(72)
    folder = cases.write(model, tmp_path, scheme)
    x = np.random.default_rng(5).normal(size=(1, 5, 72)).astype(np.float32)
    actual = cases.session(one_node_model(folder, name)).run(["y"], {"x": x})[0]
    module = model.get_submodule(name)
    on_grid = fake_quantize_activation(torch.from_numpy(x), scheme)
    weight = of_weight(scheme).fake_quantize(module.weight, scheme)
    expected = torch.nn.functional.linear(on_grid, weight, module.bias).detach().numpy()
    assert cases.difference(actual, expected) < FLOAT_NOISE


@BLOCKS
def test_one_node_of_the_table(tmp_path, scheme):
    model = cases.tiny_whisper()
    folder = cases.write(model, tmp_path, scheme)
    ids = np.array([[5, 96]], dtype=np.int64)
    actual = cases.session(one_node_model(folder, TABLE)).run(["y"], {"x": ids})[0]
    table = block_weight.fake_quantize(model.get_submodule(TABLE).weight.detach(), scheme)
    assert (actual == table.numpy()[ids]).all()
