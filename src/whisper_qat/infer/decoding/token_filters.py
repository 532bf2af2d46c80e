"""Token filters: ids suppressed always, at the first step, or by the rules for timestamps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.decoding.timestamps import TimestampRules


@dataclass(frozen=True, kw_only=True)
class TokenFilters:
    """Ids suppressed at every step, ids suppressed at the first step only, and timestamp rules.

    Without `timestamps` the prompt ends in <|notimestamps|>, and timestamps need no suppression.
    """

    suppress: tuple[int, ...] = ()
    begin_suppress: tuple[int, ...] = ()
    timestamps: TimestampRules | None = None

    @classmethod
    def from_generation(
        cls, generation: Mapping[str, Any], *, timestamps: bool = False
    ) -> "TokenFilters":
        """From the content of `generation_config.json`; absent and null mean none."""
        return cls(
            timestamps=TimestampRules.from_generation(generation) if timestamps else None,
            suppress=tuple(generation.get("suppress_tokens") or ()),
            begin_suppress=tuple(generation.get("begin_suppress_tokens") or ()),
        )

    def apply(
        self, logits: NDArray[np.float32], step: int, tokens: Sequence[int]
    ) -> NDArray[np.float32]:
        """A copy of `logits` [vocab], with -inf for ids not allowed at `step` (counted from 0).

        `tokens` are those of this utterance so far, without the prompt.
        """
        scores = logits.copy()
        scores[list(self.suppress)] = -np.inf
        if step == 0:
            scores[list(self.begin_suppress)] = -np.inf
        if self.timestamps is not None:
            self.timestamps.apply(scores, tokens)
        return scores
