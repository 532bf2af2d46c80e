"""Split long audio into chunks of at most 30 s, cut where speech is quietest, without loss.

A cut falls on the quietest 0.2 s within the last 5 s that fit the window, so words are seldom
divided. Chunks are decoded independently and their texts joined by spaces. Stitching overlapping
chunks and sequential decoding with timestamps are other methods, with other errors: results state
which was used. The audio may come in blocks of any length; at most a window and a block of it are
in memory.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from whisper_qat.front_end import HOP, SAMPLE_RATE, WINDOW, WINDOW_S

SEARCH_S = 5
QUIET_S = 0.2
METHOD = (
    f"chunks of at most {WINDOW_S} s, cut at the quietest {QUIET_S} s of their last {SEARCH_S} s"
)


def chunks(
    audio: NDArray[np.float32] | Iterable[NDArray[np.float32]],
) -> Iterator[NDArray[np.float32]]:
    """Split `audio` [samples], or its blocks, into pieces of at most 30 s without loss."""
    held = np.zeros(0, np.float32)
    for block in [audio] if isinstance(audio, np.ndarray) else audio:
        held = np.concatenate([held, block]) if len(held) else block
        while len(held) > WINDOW:
            end = quietest(held[WINDOW - SEARCH_S * SAMPLE_RATE : WINDOW])
            end += WINDOW - SEARCH_S * SAMPLE_RATE
            yield held[:end]
            held = held[end:]
    yield held


def quietest(audio: NDArray[np.float32]) -> int:
    """Middle sample of the QUIET_S of `audio` with the least energy; the last of equals."""
    width = round(QUIET_S * SAMPLE_RATE)
    energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    starts = np.arange(0, len(audio) - width + 1, HOP)
    within = energy[starts + width] - energy[starts]
    last = len(within) - 1 - int(within[::-1].argmin())
    return int(starts[last]) + width // 2
