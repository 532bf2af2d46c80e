"""A term of the training objective as a record: its name, its settings and its function.

Terms are sums over labelled tokens in float32. The training loop divides by the tokens of the whole
optimizer step, so every token has the same weight, whatever the accumulation and the number of
processes.

Shapes: B batch, T tokens, V vocabulary, S encoder positions, D width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

IGNORED = -100  # label of a position that no term counts


@dataclass(frozen=True)
class Outputs:
    """Outputs of a Whisper for a batch: `logits` [B, T, V] and encoder `states` [B, S, D]."""

    logits: Tensor
    states: Tensor


# Student, teacher, labels [B, T], settings by name -> the term's sum, a scalar.
TermSum = Callable[[Outputs, Outputs, Tensor, Mapping[str, float]], Tensor]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One addend of the objective; `registry.TERMS` lists all of them.

    `name` is its key in a run's history. `weight` and `others` name training settings (fields of
    the training configuration): its factor, and further settings that its sum reads. A term of
    weight 0 is left out, unless it is always `reported`. Without `needs_teacher`, `sum` ignores its
    second argument.
    """

    name: str
    weight: str
    sum: TermSum
    others: tuple[str, ...] = ()
    needs_teacher: bool = True
    reported: bool = False
