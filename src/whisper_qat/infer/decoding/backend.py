"""The interface that decoding needs from a runtime: encode a spectrogram, then compute logits.

Decoding depends only on this protocol, with numpy arrays in and out. The same search thus
runs on onnxruntime and on torch, and their transcripts differ by arithmetic alone.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A Whisper model on some runtime, without the state of any utterance.

    The state of an utterance is a separate object with the encoder's output and the KV cache;
    `logits` and `next_logits` update it.
    """

    def encode(self, mel: NDArray[np.float32]) -> Any:
        """State of a new utterance from `mel` float32 [1, n_mels, frames]; frames even, <= 3000."""
        ...

    def logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """Logits float32 [1, n, vocab] for the n new `tokens` [1, n], which extend `state`."""
        ...

    def next_logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """Logits float32 [1, vocab] after the last of `tokens` only; otherwise as `logits`."""
        ...


class RowsBackend(Backend, Protocol):
    """A backend whose state holds several rows: clips side by side, or the beams of one clip.

    Tokens and logits then have one row each, in the state's order.
    """

    rows_independent: bool  # a row's result is bit-identical whatever other rows are in the batch
    one_range_per_call: bool  # all rows share one activation range

    def encode_clips(self, mels: Sequence[NDArray[np.float32]]) -> Any:
        """State with one row per clip, each from [n_mels, frames]; frames may differ."""
        ...

    def keep_clips(self, state: Any, clips: Sequence[int]) -> list[int]:
        """Drops all clips (one row each) but `clips`; returns their order, which may change."""
        ...

    def take_rows(self, state: Any, rows: Sequence[int]) -> None:
        """Reorders the cache of one clip to `rows`, in that order; a row may be repeated."""
        ...
