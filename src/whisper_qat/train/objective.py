"""The objective: student and teacher forward of one micro-batch, and its summed losses.

The teacher is the float checkpoint with an encoder of its own: given the student's encoder states,
it would silently become quantized.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

from whisper_qat.data.loader import Batch
from whisper_qat.model import forward
from whisper_qat.train.terms.registry import TERMS
from whisper_qat.train.terms.term import Outputs, Term


class Whisper(nn.Module):
    """Encoder and decoder in one call, so that accelerate can wrap them.

    (mel, tokens) -> logits [B, T, V] and encoder states [B, S, D].
    """

    def __init__(self, model: WhisperForConditionalGeneration, *, checkpointing: bool = False):
        super().__init__()
        self.model = model
        self.checkpointing = checkpointing

    def forward(self, mel: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        use = self.checkpointing and self.training
        encoded = forward.encode(self.model, mel, checkpointing=use)
        state = forward.start(self.model, encoded)
        return forward.decode(self.model, tokens, state, checkpointing=use), encoded


@dataclass(frozen=True)
class Objective:
    """The training settings that the registered terms read, by name; a missing weight is 0."""

    settings: Mapping[str, float]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Objective":
        """Select the terms' settings from all settings of a run, by flat name."""
        names = [name for term in TERMS for name in (term.weight, *term.others)]
        return cls({name: settings[name] for name in names})

    def weight(self, term: Term) -> float:
        return self.settings.get(term.weight, 0.0)

    @property
    def needs_teacher(self) -> bool:
        """True when an active term compares the student with the float model."""
        return any(term.needs_teacher and self.weight(term) for term in TERMS)


@dataclass(frozen=True)
class Losses:
    """Losses summed over a micro-batch's labelled tokens: `total`, with gradient, and by term."""

    total: Tensor
    sums: dict[str, Tensor]


def compute(student: nn.Module, teacher: nn.Module | None, batch: Batch, how: Objective) -> Losses:
    """The summed losses of `batch`; `student` and `teacher` are called as (mel, tokens).

    Terms that need a teacher are left out without one; terms left out are reported as 0.
    """
    found = Outputs(*student(batch.mel, batch.tokens))
    target = found
    if teacher is not None:
        with torch.no_grad():
            heard = batch.mel if batch.teacher_mel is None else batch.teacher_mel
            target = Outputs(*teacher(heard, batch.tokens))
    zero = found.logits.new_zeros((), dtype=torch.float32)
    total, sums = None, {term.name: zero for term in TERMS}
    for term in TERMS:
        weight, possible = how.weight(term), teacher is not None or not term.needs_teacher
        if possible and (weight or term.reported):
            value = term.sum(found, target, batch.labels, how.settings)
            total = weight * value if total is None else total + weight * value
            sums[term.name] = value.detach()
    assert total is not None, "no term of the objective is reported"
    return Losses(total, sums)


def to_device(batch: Batch, device: torch.device) -> Batch:
    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, non_blocking=True)

    whole = None if batch.teacher_mel is None else move(batch.teacher_mel)
    return Batch(move(batch.mel), move(batch.tokens), move(batch.labels), batch.ids, whole)
