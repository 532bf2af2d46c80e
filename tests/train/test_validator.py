"""Validation: its losses are the objective's, and WER comes from transcripts of the same model."""

from pathlib import Path

import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.source import load_clips
from whisper_qat.data.loader import Collator, Examples, Labeller
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.train.objective import Whisper
from whisper_qat.train.validator import Validator

CONTEXT = AudioContext(mode="dynamic", margin_s=0.5)


def validator(base: Path, speech: Path, *, teacher: bool, autocast=None, batch_size=2):
    rules = read_rules(base, language="fr", max_new_tokens=6)
    labeller = Labeller.from_pretrained(base, rules.prompt, next(iter(rules.end_ids)), 448)
    clips = load_clips(str(speech), split="validation")
    return Validator(
        base=base, clips=clips, teacher=Whisper(load_whisper(base)) if teacher else None,
        examples=Examples(clips, Features.from_pretrained(base), labeller),
        collator=Collator(CONTEXT, len(rules.prompt)), rules=rules, context=CONTEXT,
        batch_size=batch_size, num_workers=0, autocast=autocast,
    )  # fmt: skip


@pytest.fixture
def speech(tmp_path):
    return save_tiny_speech(tmp_path / "speech")


def test_a_model_is_its_own_teacher(tiny_whisper, speech):
    found = validator(tiny_whisper, speech, teacher=True)(Whisper(load_whisper(tiny_whisper)))
    assert set(found) == {"eval_loss", "eval_kl", "eval_wer"}
    assert found["eval_kl"] == pytest.approx(0, abs=1e-9)
    assert found["eval_loss"] > 1 and found["eval_wer"] > 0


def test_the_loss_in_bf16_stands_beside_that_in_float32(tiny_whisper, speech):
    student = Whisper(load_whisper(tiny_whisper))
    found = validator(tiny_whisper, speech, teacher=False, autocast=torch.bfloat16)(student)
    assert set(found) == {"eval_loss", "eval_loss_autocast", "eval_wer"}
    assert 0 < abs(found["eval_loss"] - found["eval_loss_autocast"]) < 0.1 * found["eval_loss"]
