"""Beam search against transformers' generate(num_beams=5): equal tokens on float weights."""

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from tests.infer.decoding.test_greedy import CASES, changed
from tests.infer.onnx_folders import onnx_folder
from tests.tiny_whisper import IDS
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.beam import Beams, BeamSettings, beam_search, largest, log_softmax
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.onnx.backend import OnnxBackend

EOS = IDS["<|endoftext|>"]


def generated(model, mel, prompt, **settings):
    """Tokens of transformers' beam search, without prompt, end and padding."""
    out = model.generate(
        torch.from_numpy(mel[None]), language="fr", task="transcribe", return_timestamps=False,
        do_sample=False, attention_mask=torch.ones(1, mel.shape[1]), **settings,
    )  # fmt: skip
    tokens = out[0].tolist()
    if tuple(tokens[: len(prompt)]) == prompt:
        tokens = tokens[len(prompt) :]
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    found = [i for i, token in enumerate(tokens) if token in ends]
    return tokens[: found[0]] if found else tokens


def flattened(folder, seed, **generation):
    """A tiny Whisper with soft enough logits that beams cross, and what it is asked for."""
    model, mel = changed(folder, seed, **generation)
    with torch.no_grad():
        model.model.decoder.layer_norm.weight.mul_(0.2)
    model.save_pretrained(folder)
    return model, mel


def both(folder, output, seed, generation, **settings):
    model, mel = flattened(folder, seed, **generation)
    rules = read_rules(folder, language="fr")
    onnx = OnnxBackend.from_folder(onnx_folder(folder, output), 1)
    (ours,) = beam_search(onnx, [mel], rules, settings=BeamSettings(**settings))
    return ours, generated(model, mel, rules.prompt, **settings), greedy(onnx, mel, rules).tokens


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "name", ["nothing suppressed at begin", "short max_length", "config's max_new_tokens"]
)
def test_equals_generate_on_tiny_models(tiny_whisper_folder, tmp_path, name, seed):
    ours, theirs, _ = both(
        tiny_whisper_folder(seed=seed), tmp_path / "o", seed, CASES[name], num_beams=5
    )
    assert ours.tokens == theirs


FEW = [i for i in range(256 + len(IDS)) if i not in (*range(5, 30), EOS)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"length_penalty": 0.0},
        {"length_penalty": 2.0},
        {"early_stopping": True},
        {"num_beams": 3},
    ],
    ids=str,
)
def test_equals_generate_where_hypotheses_end(tiny_whisper_folder, tmp_path, settings, seed):
    generation = {"suppress_tokens": FEW, "eos_token_id": [EOS, 11], "max_length": 40}
    ours, theirs, _ = both(
        tiny_whisper_folder(seed=seed),
        tmp_path / "o",
        seed,
        generation,
        **{"num_beams": 5} | settings,
    )
    assert ours.tokens == theirs


def test_beams_find_what_greedy_does_not(tiny_whisper_folder, tmp_path):
    generation = {"suppress_tokens": FEW, "max_length": 20}
    found = [
        both(tiny_whisper_folder(seed=seed), tmp_path / str(seed), seed, generation, num_beams=5)
        for seed in range(3)
    ]
    assert any(ours.tokens != greedy_tokens for ours, _, greedy_tokens in found)


def test_one_beam_is_greedy(tiny_whisper_folder, tmp_path):
    generation = {"suppress_tokens": FEW, "max_length": 20}
    ours, _, greedy_tokens = both(
        tiny_whisper_folder(seed=1), tmp_path / "o", 1, generation, num_beams=1
    )
    assert ours.tokens == greedy_tokens and ours.margins == []


def test_largest_are_in_order_and_the_first_of_equals_is_first():
    scores = np.array([1, 7, 3, 7, -np.inf, 3], dtype=np.float32)
    assert largest(scores, 3).tolist() == [1, 3, 2]
    assert largest(scores, 9).tolist() == [1, 3, 2, 5, 0, 4]


def test_log_softmax_is_torch_s():
    logits = np.random.default_rng(0).normal(size=5000).astype(np.float32) * 9
    expected = torch.log_softmax(torch.from_numpy(logits), dim=-1).numpy()
    assert log_softmax(logits).dtype == np.float32
    assert np.abs(log_softmax(logits) - expected).max() < 1e-5  # order of a float32 sum


def test_damaged_logits_are_an_error():
    with pytest.raises(InputError, match="not finite"):
        log_softmax(np.array([1, np.nan], dtype=np.float32))


def test_start_counts_one_beam():
    assert Beams.start(3).scores.tolist() == [0, -1e9, -1e9]


def test_no_beams_is_an_error():
    with pytest.raises(InputError, match="num_beams=0: expected 1 or more"):
        BeamSettings(num_beams=0)


class OneRangePerCall:
    one_range_per_call = True


def test_rows_that_share_a_range_are_refused():
    with pytest.raises(InputError, match="num_beams=5: .*int8-dynamic"):
        beam_search(OneRangePerCall(), [], None, settings=BeamSettings())


@pytest.mark.slow
@pytest.mark.weights
def test_equals_generate_on_real_speech(whisper_base, telephone_fr, tmp_path):
    model = WhisperForConditionalGeneration.from_pretrained(whisper_base, dtype=torch.float32)
    features = Features.from_pretrained(whisper_base)
    rules = read_rules(whisper_base, language="fr")
    onnx = OnnxBackend.from_folder(onnx_folder(whisper_base, tmp_path / "onnx"), 2)
    mels = [
        features.log_mel(read_audio(clip), AudioContext(mode="full"))
        for clip in load_clips(telephone_fr, split="test")[:4]
    ]
    found = beam_search(onnx, mels, rules, settings=BeamSettings())
    for mel, ours in zip(mels, found, strict=True):
        assert ours.tokens == generated(model.eval(), mel, rules.prompt, num_beams=5) and ours.ended
