"""Validation: the loss is a mean per token over all clips, WER is that of the same model."""

import math
from pathlib import Path

import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from tests.train.tiny_run import DURATIONS_S, PROMPT, RandomExamples, tiny_whisper
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.source import load_clips
from whisper_qat.data.loader import Collator, Examples, Labeller
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.train.objective import Whisper
from whisper_qat.train.validation import Validator, mean_loss, micro_batches

CONTEXT = AudioContext(mode="dynamic", margin_s=0.5)


def measure(student, batch_size, teacher=None, autocast=None):
    return mean_loss(
        student, teacher, RandomExamples(), micro_batches(DURATIONS_S, batch_size),
        Collator(AudioContext(), len(PROMPT)), num_workers=0, autocast=autocast,
    )  # fmt: skip


def test_every_clip_once_by_length():
    batches = micro_batches([3.0, 1.0, 2.0], 2)
    assert [micro.indices for micro in batches] == [(1, 2), (0,)]


class Undecided(torch.nn.Module):
    """Gives every token of the vocabulary the same logit."""

    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.zeros(()))

    def forward(self, mel, tokens):
        return self.level.expand(*tokens.shape, 64), self.level.expand(1, 1, 1)


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_the_mean_is_per_token(batch_size):
    found = measure(Undecided(), batch_size, teacher=Undecided())
    assert found == {"loss": pytest.approx(math.log(64), rel=1e-6), "kl": 0.0}


@pytest.mark.parametrize("quantization_type", ["none", "int8"])
def test_the_mean_does_not_depend_on_the_batches(quantization_type):
    model = tiny_whisper()
    rules = default_rules(quantization_type, 32)
    if rules:
        apply_plan(model, plan(model, rules))
    student = Whisper(model)
    one, three = measure(student, 1)["loss"], measure(student, 3)["loss"]
    assert one == pytest.approx(three, rel=1e-4)


def test_kl_to_itself_is_zero_and_to_another_is_not():
    student = Whisper(tiny_whisper())
    assert measure(student, 4, teacher=student)["kl"] == pytest.approx(0, abs=1e-9)
    assert measure(student, 4, teacher=Whisper(tiny_whisper(1)))["kl"] > 0


def test_both_precisions_of_the_same_weights():
    found = measure(Whisper(tiny_whisper()), 4, autocast=torch.bfloat16)
    assert set(found) == {"loss", "loss_autocast"} and found["loss"] != found["loss_autocast"]


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
