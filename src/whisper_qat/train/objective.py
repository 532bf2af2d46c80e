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
    """The model as one call, so that accelerate can wrap it.

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


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Weights of the losses; without `kl_weight` and `encoder_weight` no teacher is needed."""

    ce_weight: float
    kl_weight: float
    temperature: float
    encoder_weight: float = 0.0


@dataclass(frozen=True)
class Losses:
    """Sums over a micro-batch's labelled tokens; `total` carries the gradient."""

    total: Tensor
    ce: Tensor
    kl: Tensor
    states: Tensor


def compute(student: nn.Module, teacher: nn.Module | None, batch: Batch, how: Objective) -> Losses:
    """The summed losses of `batch`; `student` and `teacher` are called as (mel, tokens)."""
    logits, encoded = student(batch.mel, batch.tokens)
    ce = losses.cross_entropy_sum(logits, batch.labels)
    total, kl, states = how.ce_weight * ce, ce.new_zeros(()), ce.new_zeros(())
    if teacher is not None:
        with torch.no_grad():
            heard = batch.mel if batch.teacher_mel is None else batch.teacher_mel
            target, target_states = teacher(heard, batch.tokens)
        if how.kl_weight:
            kl = losses.distillation_sum(logits, target, batch.labels, how.temperature)
            total = total + how.kl_weight * kl
        if how.encoder_weight:
            within = target_states[:, : encoded.shape[1]]
            states = losses.encoder_sum(encoded, within, batch.labels)
            total = total + how.encoder_weight * states
    return Losses(total, ce.detach(), kl.detach(), states.detach())


def to_device(batch: Batch, device: torch.device) -> Batch:
    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, non_blocking=True)

    whole = None if batch.teacher_mel is None else moved(batch.teacher_mel)
    return Batch(moved(batch.mel), moved(batch.tokens), moved(batch.labels), batch.ids, whole)
