"""Which clips can be used, and for each of the others the reason.

Nothing is dropped silently: what does not pass comes back as a `Rejected` that the caller lists.
With ``decode=False`` only text and header are looked at (a training run over a network disk); with
``decode=True`` every sample is, which also finds truncated and silent files.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from whisper_qat.data.audio.reading import probe, read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.split import text_key
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE

MAX_DURATION_S = 30.0  # Whisper's window
SILENT_PEAK = 10 ** (-60 / 20)  # -60 dB of full scale: below any speech, above dither and hum


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A clip left out, and why."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Screened:
    """``kept`` have a known duration; ``kept`` and ``rejected`` together are the input."""

    kept: list[Clip]
    rejected: list[Rejected]


def screen(
    clips: Iterable[Clip], *, decode: bool, max_duration_s: float = MAX_DURATION_S
) -> Screened:
    """Sort clips into usable and not; never raises for a bad clip."""
    kept, rejected = [], []
    for clip in clips:
        try:
            duration_s = len(examine(clip)) / SAMPLE_RATE if decode else _glance(clip)
            check_duration(duration_s, max_duration_s)
        except InputError as error:
            rejected.append(Rejected(id=clip.id, reason=str(error)))
        else:
            kept.append(dataclasses.replace(clip, duration_s=duration_s))
    return Screened(kept=kept, rejected=rejected)


def examine(clip: Clip, read: Callable[[Clip], np.ndarray] = read_audio) -> np.ndarray:
    """Samples [n] at 16 kHz of a clip whose text and sound are all right; else InputError."""
    check_text(clip)
    samples = read(clip)
    check_sound(samples)
    return samples


def _glance(clip: Clip) -> float:
    check_text(clip)
    return probe(clip).duration_s


def check_text(clip: Clip) -> None:
    """InputError for a text without a letter or digit."""
    if not text_key(clip.text):
        raise InputError(f"no text ({clip.text!r})" if clip.text else "no text")


def check_sound(samples: np.ndarray) -> None:
    """InputError for digital silence or next to it."""
    peak = float(np.abs(samples).max())
    if peak < SILENT_PEAK:
        raise InputError(f"silent (peak {peak:.6f} of full scale)")


def check_duration(duration_s: float, max_duration_s: float) -> None:
    """InputError above the limit."""
    if duration_s > max_duration_s:
        raise InputError(f"too long ({duration_s:.1f} s, the limit is {max_duration_s:g} s)")
