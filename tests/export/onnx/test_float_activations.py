"""Activation quantization off: the same codes, float activations, runnable from either form."""

import numpy as np
import pytest
import torch

from tests.export import cases
from whisper_qat.export.onnx.float_activations import (
    float_activations,
    float_activations_folder,
    link_or_copy,
)
from whisper_qat.export.onnx.read import read_codes
from whisper_qat.model import forward
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE

MEL = {"input_features": np.random.default_rng(6).normal(size=(1, 8, 40)).astype(np.float32)}


@pytest.fixture(
    params=[cases.INT8, cases.DYNAMIC, cases.ROW, cases.TWO_LEVEL], ids=lambda s: s.name
)
def scheme(request):
    return request.param


@pytest.fixture
def folder(tmp_path, scheme):
    written = cases.write(cases.tiny_whisper(256), tmp_path / "onnx", scheme)
    assert (written / f"{ENCODER_FILE}_data").stat().st_size > 0
    return written


def test_codes_and_scales_stay(tmp_path):
    folder = cases.write(cases.tiny_whisper(256), tmp_path / "onnx", cases.INT8)
    copy = float_activations_folder(folder, tmp_path / "copy")
    codes, same = read_codes(folder), read_codes(copy)
    assert all((codes[name] == same[name]).all() for name in codes)


def test_the_float_graph_is_the_model_on_its_weight_grid(folder, scheme, tmp_path):
    """Encoder and decoder, the branch of `If` included, against torch with dequantized weights."""
    copy = float_activations_folder(folder, tmp_path / "copy")
    model = cases.tiny_whisper(256)
    table = model.model.decoder.embed_tokens.weight.detach().clone()
    cases.dequantized(model, scheme)
    if not scheme.has_lookup:
        model.model.decoder.embed_tokens.weight.data.copy_(table)
    states = cases.session(copy / ENCODER_FILE).run(None, MEL)[0]
    tokens = np.array([[3, 5, 7]])
    with torch.no_grad():
        encoded = forward.encode(model, torch.from_numpy(MEL["input_features"]))
        logits = forward.decode(model, torch.from_numpy(tokens), forward.start(model, encoded))
    assert cases.difference(states, encoded.numpy()) < 1e-5
    actual = cases.OnnxDecoder(copy, cases.no_past(model.config, 1))(tokens, states)
    assert cases.difference(actual, logits.numpy()) < 1e-4


def test_only_the_activations_change(folder, tmp_path):
    copy = float_activations_folder(folder, tmp_path / "copy")
    assert {p.name for p in copy.iterdir()} == {p.name for p in folder.iterdir()}
    quantized = cases.session(folder / ENCODER_FILE).run(None, MEL)[0]
    off = cases.session(copy / ENCODER_FILE).run(None, MEL)[0]
    assert 1e-4 < cases.difference(off, quantized) < 0.1


def test_bytes_run_beside_their_data(folder, tmp_path):
    copy = float_activations_folder(folder, tmp_path / "copy")
    from_bytes = cases.session(float_activations(folder / ENCODER_FILE), folder)
    from_copy = cases.session(copy / ENCODER_FILE)
    assert (from_bytes.run(None, MEL)[0] == from_copy.run(None, MEL)[0]).all()


def test_large_files_are_linked(folder, tmp_path):
    copy = float_activations_folder(folder, tmp_path / "copy")
    data = f"{DECODER_FILE}_data"
    assert (copy / data).samefile(folder / data)


def test_copied_where_links_are_impossible(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "a").write_text("data")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "data"
