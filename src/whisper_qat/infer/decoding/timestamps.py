"""Timestamp tokens: when the decoder may or must emit one, and the segments that they mark.

The rules are Whisper's, in the form of transformers' WhisperTimeStampLogitsProcessor (the tokens
are those of its `generate`, tested): timestamps come in pairs except for the last, never decrease,
start the text, and are forced where all of them together are likelier than any other token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.errors import InputError

STEP_S = 0.02  # from one timestamp token to the next: one position of the encoder


@dataclass(frozen=True, kw_only=True)
class TimestampRules:
    """Whisper's constraints on timestamp tokens.

    `first` is the id of <|0.00|>, above which all ids are timestamps; `end` is the id of the end
    token. The first timestamp may be at most `max_initial_steps` steps into the audio; None means
    no limit.
    """

    first: int
    end: int
    max_initial_steps: int | None = None

    @classmethod
    def from_generation(cls, generation: Mapping[str, Any]) -> "TimestampRules":
        """From the content of `generation_config.json`; InputError when it has no timestamps."""
        if generation.get("no_timestamps_token_id") is None:
            raise InputError(
                "timestamps: this checkpoint has none (no no_timestamps_token_id in "
                "generation_config.json)"
            )
        end = generation["eos_token_id"]
        return cls(
            first=int(generation["no_timestamps_token_id"]) + 1,
            end=min(end) if isinstance(end, list) else end,
            max_initial_steps=generation.get("max_initial_timestamp_index"),
        )

    def apply(self, scores: NDArray[np.float32], tokens: Sequence[int]) -> None:
        """Set what may not follow `tokens` (without prompt) to -inf in `scores` [vocab]."""
        scores[self.first - 1] = -np.inf  # <|notimestamps|>
        if tokens:
            self._keep_order(scores, tokens)
        else:
            self._begin(scores)
        likeliest = scores[: self.first].max()
        if log_sum_exp(scores[self.first :]) > likeliest:
            scores[: self.first] = -np.inf

    def _begin(self, scores: NDArray[np.float32]) -> None:
        scores[: self.first] = -np.inf
        if self.max_initial_steps is not None:
            scores[self.first + self.max_initial_steps + 1 :] = -np.inf

    def _keep_order(self, scores: NDArray[np.float32], tokens: Sequence[int]) -> None:
        """Enforce pairs of timestamps, and times that do not decrease."""
        last_is_time = tokens[-1] >= self.first
        opens = last_is_time and (len(tokens) < 2 or tokens[-2] >= self.first)
        if opens:  # text must follow
            scores[self.first :] = -np.inf
        elif last_is_time:  # the second of the pair, or the end
            scores[: self.end] = -np.inf
        times = [token for token in tokens if token >= self.first]
        if times:
            # A segment may begin where the one before ended, but not end where it began.
            lowest = times[-1] if last_is_time and not opens else times[-1] + 1
            scores[self.first : lowest] = -np.inf


def log_sum_exp(scores: NDArray[np.float32]) -> float:
    """Log of the sum of exp(scores); a largest score that is not finite is returned as it is."""
    top = scores.max(initial=-np.inf)
    if not np.isfinite(top):
        return float(top)
    return float(top) + float(np.log(np.exp(scores - top, dtype=np.float64).sum()))


@dataclass(frozen=True, kw_only=True)
class TimedTokens:
    """Text tokens between two timestamps, in seconds from the start of the chunk.

    `end_s` is None when the decoder stopped before emitting it.
    """

    start_s: float
    end_s: float | None
    tokens: list[int]


def split(tokens: Sequence[int], first: int) -> list[TimedTokens]:
    """The stretches of text in `tokens`, with their times; `first` is the id of <|0.00|>."""
    parts: list[TimedTokens] = []
    text: list[int] = []
    start_s = 0.0
    for token in tokens:
        if token < first:
            text.append(token)
            continue
        time_s = (token - first) * STEP_S
        if text:
            parts.append(TimedTokens(start_s=start_s, end_s=time_s, tokens=text))
        start_s, text = time_s, []
    if text:
        parts.append(TimedTokens(start_s=start_s, end_s=None, tokens=text))
    return parts
