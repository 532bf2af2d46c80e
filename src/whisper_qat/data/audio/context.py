"""Audio context: how much of Whisper's 30 s window the encoder sees of a clip.

`full` is Whisper as published: every clip is padded to 30 s. `dynamic` runs the encoder on the
clip's own length plus a margin of silence. The choice is trained, so the checkpoint carries it.
"""

import math
from dataclasses import dataclass

from whisper_qat.errors import InputError
from whisper_qat.front_end import MAX_FRAMES, POSITIONS_PER_SECOND, SAMPLE_RATE, WINDOW_S

MODES = ("full", "dynamic")


@dataclass(frozen=True, kw_only=True)
class AudioContext:
    """The setting of the encoder input's length: `mode` is full or dynamic.

    `margin_s`, in seconds, applies only to dynamic.
    """

    mode: str = "full"
    margin_s: float = 3.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"audio_context={self.mode!r}: expected one of {', '.join(MODES)}")
        if not 0 <= self.margin_s <= WINDOW_S:
            raise InputError(f"margin_s={self.margin_s}: expected 0 to {WINDOW_S} seconds")

    def frames(self, num_samples: int) -> int:
        """Mel frames (even, at most 3000) of the encoder input for `num_samples` at 16 kHz."""
        if self.mode == "full":
            return MAX_FRAMES
        seconds = num_samples / SAMPLE_RATE + self.margin_s
        return min(2 * math.ceil(POSITIONS_PER_SECOND * seconds), MAX_FRAMES)
