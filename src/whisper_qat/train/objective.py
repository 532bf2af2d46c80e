"""The objective: student and teacher forward of one micro-batch, and its summed losses.

The teacher is the float checkpoint with an encoder of its own: given the student's encoder states,
it would silently become quantized.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

from whisper_qat.data.loader import Batch
from whisper_qat.model import forward
from whisper_qat.train import losses


class Whisper(nn.Module):
    """The model as one call, so that accelerate can wrap it: (mel, tokens) -> logits [B, T, V]."""

    def __init__(self, model: WhisperForConditionalGeneration, *, checkpointing: bool = False):
        super().__init__()
        self.model = model
        self.checkpointing = checkpointing

    def forward(self, mel: Tensor, tokens: Tensor) -> Tensor:
        use = self.checkpointing and self.training
        encoded = forward.encode(self.model, mel, checkpointing=use)
        state = forward.start(self.model, encoded)
        return forward.decode(self.model, tokens, state, checkpointing=use)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Weights of the two losses; `kl_weight` 0 needs no teacher."""

    ce_weight: float
    kl_weight: float
    temperature: float


@dataclass(frozen=True)
class Losses:
    """Sums over a micro-batch's labelled tokens; `total` carries the gradient."""

    total: Tensor
    ce: Tensor
    kl: Tensor


def compute(student: nn.Module, teacher: nn.Module | None, batch: Batch, how: Objective) -> Losses:
    """The summed losses of `batch`; `student` and `teacher` are called as (mel, tokens)."""
    logits = student(batch.mel, batch.tokens)
    ce = losses.cross_entropy_sum(logits, batch.labels)
    kl = None
    if teacher is not None:
        with torch.no_grad():
            target = teacher(batch.mel, batch.tokens)
        kl = losses.distillation_sum(logits, target, batch.labels, how.temperature)
    total = losses.combine(ce, kl, ce_weight=how.ce_weight, kl_weight=how.kl_weight)
    return Losses(total, ce.detach(), ce.new_zeros(()) if kl is None else kl.detach())


def to_device(batch: Batch, device: torch.device) -> Batch:
    move = {"device": device, "non_blocking": True}
    return Batch(batch.mel.to(**move), batch.tokens.to(**move), batch.labels.to(**move), batch.ids)
