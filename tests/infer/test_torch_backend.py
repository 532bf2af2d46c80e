"""The torch backend: shapes, state, and both kinds of checkpoint."""

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from whisper_qat.errors import InputError
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.checkpoint.final import save_final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules

MEL = np.random.default_rng(0).normal(size=(1, 80, 3000)).astype(np.float32)
TOKENS = np.array([[256, 259, 261, 267, 70, 80]], dtype=np.int64)


def test_logits_are_those_of_transformers(tiny_whisper):
    model = WhisperForConditionalGeneration.from_pretrained(tiny_whisper, dtype=torch.float32)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(MEL), decoder_input_ids=torch.from_numpy(TOKENS))
    backend = TorchBackend.from_folder(tiny_whisper)
    state = backend.encode(MEL)
    pieces = [backend.logits(piece, state) for piece in np.split(TOKENS, [4, 5], axis=1)]
    actual = np.concatenate(pieces, axis=1)
    assert actual.dtype == np.float32
    assert np.abs(actual - expected.logits.numpy()).max() < 1e-4


def test_a_quantized_final_folder_runs_fake_quantized(tiny_whisper, tmp_path):
    model = load_whisper(tiny_whisper)
    chosen = plan(model, default_rules("int8", 32))
    apply_plan(model, chosen)
    info = Info(
        quantization_type="int8",
        method="qat",
        fine_tuned=True,
        audio_context={"mode": "full", "margin_s": 3.0},
        base_model={"name": "tiny", "fingerprint": "0"},
    )
    save_final(model, tmp_path / "final", plan=chosen, info=info, companions=tiny_whisper)
    assert fake_quantized(TorchBackend.from_folder(tmp_path / "final").model)
    assert not fake_quantized(TorchBackend.from_folder(tiny_whisper).model)


def test_a_folder_that_is_no_whisper_is_named(tmp_path):
    with pytest.raises(InputError, match="no config.json"):
        TorchBackend.from_folder(tmp_path)
