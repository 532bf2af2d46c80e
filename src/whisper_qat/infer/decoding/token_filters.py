"""Token filters: what may not be said: ever, as the first token, or by the rules of timestamps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.decoding.timestamps import TimestampRules


@dataclass(frozen=True, kw_only=True)
class TokenFilters:
    """Ids that are suppressed at every step, those suppressed at the first only, and timestamps.

    Without `timestamps` the prompt ends in <|notimestamps|>, and nothing has to keep them away.
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
        """A copy of `logits` [vocab], -inf for what may not come at `step` (0 first).

        `tokens` are those of this utterance so far, without the prompt.
        """
        scores = logits.copy()
        scores[list(self.suppress)] = -np.inf
        if step == 0:
            scores[list(self.begin_suppress)] = -np.inf
        if self.timestamps is not None:
            self.timestamps.apply(scores, tokens)
        return scores
