"""A clip is one utterance: where its audio is, its reference text and its speaker.

A clip never holds samples. 60,000 clips take a few dozen MB, so lists of clips can be passed around
freely; the audio is read when it is used (`data.audio.reading`).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EmbeddedAudio:
    """Audio inside a ``datasets.Dataset`` whose ``column`` is cast to ``Audio(decode=False)``.

    Only the row number is kept; the bytes come from the (memory-mapped) table when asked for.
    """

    dataset: Any = field(repr=False, compare=False)
    index: int
    column: str = "audio"

    def load(self) -> tuple[bytes | None, str | None]:
        """(bytes, None) when the table holds the file, (None, path) when it only names it."""
        cell = self.dataset[self.index][self.column] or {}
        data, path = cell.get("bytes"), cell.get("path")
        return (data, None) if data is not None else (None, path)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of a longer recording, in seconds from its start."""

    path: str
    offset_s: float
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance. ``id`` is unique within its list, and safe to print.

    ``audio`` as a str is an absolute path, or one relative to the working directory. ``text`` is
    the reference as its source wrote it (not normalised). None means unknown, never 0 or "".
    """

    id: str
    audio: str | EmbeddedAudio | Segment
    text: str
    duration_s: float | None = None
    speaker: str | None = None
    lang: str | None = None

    @property
    def where(self) -> str:
        """The name of this clip's audio in messages: its path, or its id inside a dataset."""
        if isinstance(self.audio, EmbeddedAudio):
            return f"clip {self.id!r}"
        path = self.audio.path if isinstance(self.audio, Segment) else self.audio
        return f"{path} (clip {self.id!r})" if isinstance(self.audio, Segment) else str(Path(path))


def total_hours(clips: list[Clip]) -> float | None:
    """Total hours of audio, or None when a clip's duration is unknown."""
    durations = [clip.duration_s for clip in clips]
    if any(duration is None for duration in durations):
        return None
    return sum(d for d in durations if d is not None) / 3600
