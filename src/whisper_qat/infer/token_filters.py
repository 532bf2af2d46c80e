"""Token filters: what the generation config never lets the decoder say, always or as first token.

Greedy search needs no more than these two; timestamps have rules of their own and are not decoded
here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class TokenFilters:
    """Ids that are suppressed at every step, and those suppressed at the first only."""

    suppress: tuple[int, ...] = ()
    begin_suppress: tuple[int, ...] = ()

    @classmethod
    def from_generation(cls, generation: Mapping[str, Any]) -> "TokenFilters":
        """From the content of `generation_config.json`; absent and null mean none."""
        return cls(
            suppress=tuple(generation.get("suppress_tokens") or ()),
            begin_suppress=tuple(generation.get("begin_suppress_tokens") or ()),
        )

    def apply(self, logits: NDArray[np.float32], step: int) -> NDArray[np.float32]:
        """A copy of `logits` [vocab] with the ids suppressed at `step` (0 first) at -inf."""
        scores = logits.copy()
        scores[list(self.suppress)] = -np.inf
        if step == 0:
            scores[list(self.begin_suppress)] = -np.inf
        return scores
