"""Decides which clips can be used, and gives the reason for each of the others.

Nothing is dropped silently: a clip that does not pass is returned as a `Rejected` for the caller to
list. With ``decode=False`` only text and header are looked at (a training run over a network disk);
with ``decode=True`` every sample is, which also finds truncated and silent files.
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
    """A clip that was left out, and the reason."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Screened:
    """The result of `screen`: usable clips and rejected ones, together all of the input.

    The clips in ``kept`` have a known duration.
    """

    kept: list[Clip]
    rejected: list[Rejected]


def screen(
    clips: Iterable[Clip], *, decode: bool, max_duration_s: float = MAX_DURATION_S
) -> Screened:
    """Separate usable clips from unusable ones; never raises for a bad clip."""
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
    """Return the samples [n] at 16 kHz of a clip; InputError when text or sound is unusable."""
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
    """InputError for audio that is digital silence or nearly so."""
    peak = float(np.abs(samples).max())
    if peak < SILENT_PEAK:
        raise InputError(f"silent (peak {peak:.6f} of full scale)")


def check_duration(duration_s: float, max_duration_s: float) -> None:
    """InputError for a clip that is longer than the limit."""
    if duration_s > max_duration_s:
        raise InputError(f"too long ({duration_s:.1f} s, the limit is {max_duration_s:g} s)")
