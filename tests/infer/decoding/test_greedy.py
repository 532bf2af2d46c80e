"""Greedy search on scripted logits, and token for token against transformers' generate."""

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from tests.infer.onnx_folders import onnx_folder
from tests.infer.scripted import ScriptedBackend
from tests.tiny_whisper import IDS
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.greedy import best, greedy
from whisper_qat.infer.decoding.rules import DecodingRules, read_rules
from whisper_qat.infer.decoding.token_filters import TokenFilters
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend

END = 0
MEL = np.zeros((8, 100), dtype=np.float32)


def rules(**changes):
    settings = {"prompt": (7, 8), "filters": TokenFilters(), "end_ids": frozenset([END])}
    return DecodingRules(**(settings | {"max_new_tokens": 10, "language": "fr"} | changes))


def one_hot(*tokens, vocab=10):
    return np.eye(vocab, dtype=np.float32)[list(tokens)]


def test_prompt_goes_first_then_each_token_alone():
    backend = ScriptedBackend(one_hot(3, 4, END))
    decoded = greedy(backend, MEL, rules())
    assert decoded.tokens == [3, 4] and decoded.ended
    assert backend.fed == [[7, 8], [3], [4]]


def test_limit_stops_and_says_so():
    decoded = greedy(ScriptedBackend(one_hot(3, 4, 5, END)), MEL, rules(max_new_tokens=3))
    assert decoded.tokens == [3, 4, 5] and not decoded.ended


def test_any_of_several_end_tokens_ends():
    decoded = greedy(ScriptedBackend(one_hot(3, 9)), MEL, rules(end_ids=frozenset([END, 9])))
    assert decoded.tokens == [3] and decoded.ended


def test_filters_see_the_step():
    script = [[0.9, 0.1, 0.5]] * 3  # the end is likeliest, but not allowed first
    filters = TokenFilters(suppress=(1,), begin_suppress=(END,))
    decoded = greedy(ScriptedBackend(script), MEL, rules(filters=filters, prompt=(2,)))
    assert decoded.tokens == [2]


def test_margins_are_leads_over_the_next_allowed_token():
    script = [[0, 5, 3, 4], [9, 1, 2, 3]]
    decoded = greedy(ScriptedBackend(script), MEL, rules(filters=TokenFilters(suppress=(3,))))
    assert decoded.margins == [2, 7]


def test_first_of_equals_wins_with_no_margin():
    assert best(np.array([1, 3, 3, 2], dtype=np.float32)) == (1, 0.0)


def test_damaged_logits_are_an_error():
    with pytest.raises(InputError, match="not finite"):
        best(np.array([1, np.nan], dtype=np.float32))


def generated(model, mel, prompt, **settings):
    """Tokens of transformers' own greedy search, without prompt, end and padding."""
    spoken = {"language": "fr", "task": "transcribe"}
    if not model.generation_config.is_multilingual:
        spoken = {}  # generate refuses them, even English
    out = model.generate(
        torch.from_numpy(mel[None]), return_timestamps=False, num_beams=1, do_sample=False,
        attention_mask=torch.ones(1, mel.shape[1]), **spoken, **settings,
    )  # fmt: skip
    tokens = out[0].tolist()
    if tuple(tokens[: len(prompt)]) == prompt:
        tokens = tokens[len(prompt) :]
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    found = [i for i, token in enumerate(tokens) if token in ends]
    return tokens[: found[0]] if found else tokens


def changed(folder, seed, **generation):
    """A tiny Whisper of its own with another generation config."""
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.generation_config.save_pretrained(folder)
    rng = np.random.default_rng(seed)
    return model, rng.normal(size=(80, 3000)).astype(np.float32)


EOS = IDS["<|endoftext|>"]
FEW = [i for i in range(256 + len(IDS)) if i not in (5, 6, 7, 8, 9, 10, 11, EOS)]
CASES = {
    "ends early": {"suppress_tokens": FEW, "max_length": 60},
    "ends early on several": {"suppress_tokens": FEW, "eos_token_id": [EOS, 11]},
    "nothing suppressed at begin": {"begin_suppress_tokens": None, "max_length": 30},
    "short max_length": {"max_length": 12},
    "config's max_new_tokens": {"max_new_tokens": 7},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_equals_generate_on_tiny_models(tiny_whisper_folder, changes, seed):
    folder = tiny_whisper_folder(seed=seed)
    model, mel = changed(folder, seed, **changes)
    found = read_rules(folder, language="fr")
    decoded = greedy(TorchBackend(model), mel, found)
    assert decoded.tokens == generated(model, mel, found.prompt)


@pytest.mark.slow
def test_equals_generate_up_to_the_last_position(tiny_whisper_folder):
    folder = tiny_whisper_folder(seed=5)
    model, mel = changed(folder, 5)
    found = read_rules(folder, language="fr")
    decoded = greedy(TorchBackend(model), mel, found)
    assert decoded.tokens == generated(model, mel, found.prompt)
    assert len(decoded.tokens) == 448 - len(found.prompt)


def test_equals_generate_with_max_new_tokens_asked_for(tiny_whisper_folder):
    folder = tiny_whisper_folder(seed=4)
    model, mel = changed(folder, 4)
    found = read_rules(folder, language="fr", max_new_tokens=9)
    decoded = greedy(TorchBackend(model), mel, found)
    assert decoded.tokens == generated(model, mel, found.prompt, max_new_tokens=9)
    assert len(decoded.tokens) == 9 and not decoded.ended


def test_equals_generate_for_an_english_only_checkpoint(tiny_english_whisper):
    load = WhisperForConditionalGeneration.from_pretrained
    model = load(tiny_english_whisper, dtype=torch.float32).eval()
    mel = np.random.default_rng(6).normal(size=(80, 3000)).astype(np.float32)
    found = read_rules(tiny_english_whisper, language="en", max_new_tokens=30)
    decoded = greedy(TorchBackend(model), mel, found)
    assert decoded.tokens == generated(model, mel, found.prompt, max_new_tokens=30)
    assert found.prompt == (IDS["<|startoftranscript|>"], IDS["<|notimestamps|>"])


@pytest.mark.slow
@pytest.mark.weights  # the fixtures are asked for by name
@pytest.mark.parametrize(
    ("checkpoint", "speech"),
    [("whisper_base", "telephone_fr"), ("whisper_tiny_en", "telephone_en")],
)
def test_both_backends_equal_generate_on_real_speech(request, checkpoint, speech, tmp_path):
    folder = request.getfixturevalue(checkpoint)
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    features = Features.from_pretrained(folder)
    found = read_rules(folder, language="fr")
    onnx = OnnxBackend.from_folder(onnx_folder(folder, tmp_path / "onnx"), 2)
    for clip in load_clips(request.getfixturevalue(speech), split="test")[:4]:
        mel = features.log_mel(read_audio(clip), AudioContext(mode="full"))
        expected = generated(model.eval(), mel, found.prompt)
        assert expected
        for backend in (TorchBackend(model), onnx):
            decoded = greedy(backend, mel, found)
            assert decoded.tokens == expected, (clip.id, type(backend).__name__)
            assert decoded.ended
