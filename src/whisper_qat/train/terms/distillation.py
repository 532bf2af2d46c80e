"""Training term: distillation of the output distribution, KL(float teacher || student)."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from whisper_qat.train.terms.term import IGNORED, Outputs, Term


def distillation_sum(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float
) -> Tensor:  # fmt: skip
    """Sum of T^2 * KL(teacher || student) at temperature T over labelled positions.

    Logits [B, T, V], labels [B, T]. T^2 keeps the gradient's size independent of T (Hinton et al.
    2015, section 2).
    """
    here = labels != IGNORED
    log_student = functional.log_softmax(student[here].float() / temperature, dim=-1)
    log_teacher = functional.log_softmax(teacher[here].float() / temperature, dim=-1)
    divergence = functional.kl_div(log_student, log_teacher, log_target=True, reduction="sum")
    return divergence * temperature**2


def term_sum(
    student: Outputs, teacher: Outputs, labels: Tensor, settings: Mapping[str, float]
) -> Tensor:  # fmt: skip
    """`distillation_sum` at the temperature from the settings."""
    return distillation_sum(student.logits, teacher.logits, labels, settings["temperature"])


DISTILLATION = Term(name="kl", weight="kl_weight", others=("temperature",), sum=term_sum)
