"""Training term: cross-entropy on the reference text."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from whisper_qat.train.terms.term import IGNORED, Outputs, Term


def cross_entropy_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of -log p(label) over labelled positions; logits [B, T, V], labels [B, T]."""
    return functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def term_sum(
    student: Outputs, teacher: Outputs, labels: Tensor, settings: Mapping[str, float]
) -> Tensor:  # fmt: skip
    """`cross_entropy_sum` of the student."""
    return cross_entropy_sum(student.logits, labels)


CROSS_ENTROPY = Term(
    name="ce", weight="ce_weight", sum=term_sum, needs_teacher=False, reported=True
)  # fmt: skip
