"""Training term: distillation of the encoder states."""

from collections.abc import Mapping

from torch import Tensor

from whisper_qat.train.terms.term import IGNORED, Outputs, Term


def encoder_sum(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Relative squared distance of encoder states times labelled tokens, summed over clips.

    States [B, S, D]. Relative to the teacher's mean square, so that one weight serves every width;
    times the clip's tokens, because the caller divides by them.
    """
    target = teacher.float()
    distance = (student.float() - target).square().mean((1, 2)) / target.square().mean((1, 2))
    return (distance * (labels != IGNORED).sum(1)).sum()


def term_sum(
    student: Outputs, teacher: Outputs, labels: Tensor, settings: Mapping[str, float]
) -> Tensor:  # fmt: skip
    """`encoder_sum`; a longer teacher output is cut to the length of the student's."""
    within = teacher.states[:, : student.states.shape[1]]
    return encoder_sum(student.states, within, labels)


ENCODER_STATES = Term(name="encoder_states", weight="encoder_weight", sum=term_sum)
