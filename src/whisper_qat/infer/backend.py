"""What a runtime must offer to be decoded with: encode a spectrogram, then logits token by token.

The decoder knows only this protocol, numpy in and numpy out, so the same greedy search runs on
onnxruntime and on torch and their transcripts differ by arithmetic alone.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """A Whisper on some runtime; holds weights, never the state of an utterance.

    The state belongs to one utterance: it carries the encoder's result and the KV cache, and
    `logits` changes it.
    """

    def encode(self, mel: NDArray[np.float32]) -> Any:
        """State of a new utterance from `mel` float32 [1, n_mels, frames]; frames even, <= 3000."""
        ...

    def logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """float32 [1, n, vocab] after the n NEW `tokens` [1, n]; `state` takes them up."""
        ...
