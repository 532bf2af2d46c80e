"""Timestamp rules: transformers' own processor, its generate, and the segments they mark."""

import numpy as np
import pytest
import torch
from transformers import (
    GenerationConfig,
    WhisperForConditionalGeneration,
    WhisperTimeStampLogitsProcessor,
)

from tests.tiny_whisper import IDS, TIMESTAMPS
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.timestamps import TimedTokens, TimestampRules, log_sum_exp, split
from whisper_qat.infer.torch_backend import TorchBackend

END, NO_TIMESTAMPS, VOCAB = 10, 13, 40
FIRST = NO_TIMESTAMPS + 1
GENERATION = {"no_timestamps_token_id": NO_TIMESTAMPS, "eos_token_id": END}


def spoken(rng, length):
    """Tokens as a decoder may have said them: text, single times and pairs, rising or not."""
    kinds = rng.integers(0, 3, length)
    return [int(rng.integers(FIRST, VOCAB) if k == 0 else rng.integers(0, END)) for k in kinds]


@pytest.mark.parametrize("max_initial", [None, 5])
def test_every_mask_is_that_of_transformers(max_initial):
    rng = np.random.default_rng(0)
    generation = GENERATION | {"max_initial_timestamp_index": max_initial}
    processor = WhisperTimeStampLogitsProcessor(GenerationConfig(**generation), begin_index=3)
    rules = TimestampRules.from_generation(generation)
    forced = 0
    for number in range(400):
        tokens = spoken(rng, number % 8)
        scores = rng.normal(scale=2, size=VOCAB).astype(np.float32)
        scores[:FIRST] += number % 3  # sometimes the times outweigh the words, sometimes not
        scores[rng.integers(0, VOCAB, 3)] = -np.inf
        given = torch.tensor([[0, 0, 0, *tokens]])
        expected = processor(given, torch.from_numpy(scores[None]))[0].numpy()
        rules.apply(scores, tokens)
        assert (scores == expected).all(), tokens
        forced += np.isneginf(scores[:FIRST]).all() and bool(tokens)
    assert 20 < forced < 380


def test_a_checkpoint_without_timestamps_is_refused():
    with pytest.raises(InputError, match="timestamps: this checkpoint has none"):
        TimestampRules.from_generation({"eos_token_id": END})


def test_the_first_of_several_ends_counts():
    rules = TimestampRules.from_generation(GENERATION | {"eos_token_id": [12, 10]})
    assert rules.end == 10


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([0, 0], np.log(2)), ([1000, -np.inf], 1000), ([-np.inf], -np.inf), ([np.inf, 1], np.inf)],
)
def test_log_sum_exp(scores, expected):
    assert log_sum_exp(np.array(scores, np.float32)) == pytest.approx(expected)


def generated(model, mel):
    """transformers' tokens of one greedy pass with timestamps, without prompt and end."""
    out = model.generate(
        torch.from_numpy(mel[None]), language="fr", task="transcribe", return_timestamps=True,
        num_beams=1, do_sample=False, attention_mask=torch.ones(1, mel.shape[1]),
        force_unique_generate_call=True,
    )  # fmt: skip
    tokens = out[0].tolist()
    tokens = tokens[3:] if tokens[0] == model.generation_config.decoder_start_token_id else tokens
    end = model.generation_config.eos_token_id
    return tokens[: tokens.index(end)] if end in tokens else tokens


def with_timestamps(folder, seed, **changes):
    """A tiny random Whisper that may say times, its suppressed words few."""
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.max_length = 60
    model.generation_config.max_initial_timestamp_index = 50
    for name, value in changes.items():
        setattr(model.generation_config, name, value)
    model.generation_config.save_pretrained(folder)
    mel = np.random.default_rng(seed).normal(size=(80, 3000)).astype(np.float32)
    return model, mel


TIMES = {IDS[token] for token in TIMESTAMPS}
SUPPRESSED = {
    "words and times": [1, 2],
    "few words": [i for i in range(IDS["<|notimestamps|>"]) if i not in (5, 6, 7)],
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suppress", SUPPRESSED.values(), ids=SUPPRESSED.keys())
def test_equals_generate_on_tiny_models(tiny_whisper_folder, suppress, seed):
    folder = tiny_whisper_folder(seed=seed)
    model, mel = with_timestamps(folder, seed, suppress_tokens=suppress)
    decoded = greedy(TorchBackend(model), mel, read_rules(folder, language="fr", timestamps=True))
    assert decoded.tokens == generated(model, mel)
    assert decoded.tokens[0] in TIMES and len(decoded.tokens) > 5


@pytest.mark.slow
def test_equals_generate_on_real_speech(whisper_base, telephone_fr):
    model = WhisperForConditionalGeneration.from_pretrained(whisper_base, dtype=torch.float32)
    features = Features.from_pretrained(whisper_base)
    rules = read_rules(whisper_base, language="fr", timestamps=True)
    clips = [read_audio(clip) for clip in load_clips(telephone_fr, split="test")[:6]]
    long = np.concatenate(clips)[: 30 * 16_000]
    for audio in (*clips[:3], long):
        mel = features.log_mel(audio, AudioContext(mode="full"))
        decoded = greedy(TorchBackend(model.eval()), mel, rules)
        assert decoded.tokens == generated(model, mel)
        parts = split(decoded.tokens, rules.filters.timestamps.first)
        assert parts and all(p.end_s is None or p.end_s > p.start_s for p in parts)
    assert len(parts) > 1  # several prompts in one clip


@pytest.mark.parametrize(
    ("tokens", "parts"),
    [
        ([], []),
        ([FIRST, FIRST + 5], []),
        ([FIRST, 1, 2, FIRST + 5], [(0.0, 0.1, [1, 2])]),
        (
            [FIRST, 1, FIRST + 5, FIRST + 10, 2, 3, FIRST + 20],
            [(0.0, 0.1, [1]), (0.2, 0.4, [2, 3])],
        ),
        ([FIRST + 1, 1, FIRST + 5, FIRST + 5, 2], [(0.02, 0.1, [1]), (0.1, None, [2])]),
        ([1, 2], [(0.0, None, [1, 2])]),
    ],
    ids=["nothing", "no words", "one", "two", "cut off", "no times"],
)
def test_words_between_times_are_segments(tokens, parts):
    expected = [
        TimedTokens(start_s=pytest.approx(a), end_s=b if b is None else pytest.approx(b), tokens=c)
        for a, b, c in parts
    ]
    assert split(tokens, FIRST) == expected
