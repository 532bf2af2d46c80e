"""Losses: cross-entropy on the reference text, and distillation from the float model.

Both return sums over labelled tokens in float32. The caller divides by the tokens of the whole
optimizer step, so accumulation and processes weigh every token alike.

Shapes: B batch, T tokens, V vocabulary.
"""

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100


def cross_entropy_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of -log p(label) over labelled positions; logits [B, T, V], labels [B, T]."""
    return functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def distillation_sum(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float
) -> Tensor:
    """Sum of T^2 * KL(teacher || student) at temperature T over labelled positions.

    T^2 keeps the gradient's size independent of T (Hinton et al. 2015, section 2).
    """
    here = labels != IGNORED
    log_student = functional.log_softmax(student[here].float() / temperature, dim=-1)
    log_teacher = functional.log_softmax(teacher[here].float() / temperature, dim=-1)
    divergence = functional.kl_div(log_student, log_teacher, log_target=True, reduction="sum")
    return divergence * temperature**2


def encoder_sum(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Sum over clips of the encoder states' relative squared distance times labelled tokens.

    States [B, S, D]. Relative to the teacher's mean square, so that one weight serves every width;
    times the clip's tokens, because the caller divides by them.
    """
    target = teacher.float()
    distance = (student.float() - target).square().mean((1, 2)) / target.square().mean((1, 2))
    return (distance * (labels != IGNORED).sum(1)).sum()


def is_finite(loss: Tensor) -> bool:
    return bool(torch.isfinite(loss))
