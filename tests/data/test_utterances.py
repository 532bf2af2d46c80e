"""Material: each clip at its own context, its reference tokens behind the prompt."""

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.source import load_clips
from whisper_qat.data.loader import Labeller
from whisper_qat.data.utterances import noise, speech
from whisper_qat.infer.decoding.rules import read_rules

CONTEXT = AudioContext(mode="dynamic", margin_s=0.5)


@pytest.fixture
def parts(tiny_whisper):
    rules = read_rules(tiny_whisper, language="fr")
    return Features.from_pretrained(tiny_whisper), Labeller.from_pretrained(
        tiny_whisper, rules.prompt, next(iter(rules.end_ids)), 448
    )


def test_speech(parts, tmp_path):
    features, labeller = parts
    clips = load_clips(str(save_tiny_speech(tmp_path / "speech")), split="train")
    material = speech(clips, features, CONTEXT, labeller, max_positions=10**6)
    assert [u.id for u in material.utterances] == [clip.id for clip in clips]
    assert [u.mel.shape[-1] for u in material.utterances[:2]] == [100, 106]
    first = material.utterances[0].tokens[0].tolist()
    assert first == labeller(clips[0].text)[:-1]
    assert material.positions == sum(len(labeller(c.text)) - len(labeller.prompt) for c in clips)


def test_no_more_positions_than_needed(parts, tmp_path):
    features, labeller = parts
    clips = load_clips(str(save_tiny_speech(tmp_path / "speech")), split="train")
    few = speech(clips, features, CONTEXT, labeller, max_positions=1)
    assert len(few.utterances) == 1 and few.kind == "speech"


def test_noise_is_seeded(parts):
    features, labeller = parts
    a, b = noise(features, CONTEXT, labeller), noise(features, CONTEXT, labeller)
    assert a.kind == "noise" and len(a.utterances) == 3
    assert (a.utterances[0].mel == b.utterances[0].mel).all()
    assert (a.utterances[2].tokens == b.utterances[2].tokens).all()
    assert a.first(2).utterances == a.utterances[:2]
