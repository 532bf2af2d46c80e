"""What a runtime must offer to be decoded with: encode a spectrogram, then logits token by token.

The decoder knows only this protocol, numpy in and numpy out, so the same greedy search runs on
onnxruntime and on torch and their transcripts differ by arithmetic alone.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A Whisper on some runtime; holds weights, never the state of an utterance.

    The state belongs to one utterance: it carries the encoder's result and the KV cache, and
    `logits` and `next_logits` change it.
    """

    def encode(self, mel: NDArray[np.float32]) -> Any:
        """State of a new utterance from `mel` float32 [1, n_mels, frames]; frames even, <= 3000."""
        ...

    def logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """float32 [1, n, vocab] after the n NEW `tokens` [1, n]; `state` takes them up."""
        ...

    def next_logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """float32 [1, vocab]: as `logits`, after the last of `tokens` only."""
        ...


class RowsBackend(Backend, Protocol):
    """A backend whose state holds several rows: clips side by side, or the beams of one clip.

    Tokens and logits then have one row each, in the state's order.
    """

    rows_independent: bool  # a row's result has the same bits whatever rows are beside it
    one_range_per_call: bool  # it lies on another grid: rows share their activations' range

    def encode_clips(self, mels: Sequence[NDArray[np.float32]]) -> Any:
        """State of one row per clip, each from [n_mels, frames]; frames may differ."""
        ...

    def keep_clips(self, state: Any, clips: Sequence[int]) -> list[int]:
        """Drops all clips (one row each) but `clips`; their new order, which may be another."""
        ...

    def take_rows(self, state: Any, rows: Sequence[int]) -> None:
        """The cache of the rows `rows` of one clip, in that order and as often as named."""
        ...
