"""Small audio files for the data tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisper_qat.data.clips.clip import Clip

WriteTone = Callable[..., Path]


@pytest.fixture
def write_tone(tmp_path: Path) -> WriteTone:
    """``write_tone("a.wav", seconds=1.0, rate=16000, channels=1, level=0.3)`` -> its path."""

    def write(
        name: str,
        seconds: float = 1.0,
        rate: int = 16_000,
        channels: int = 1,
        level: float = 0.3,
        folder: Path | None = None,
    ) -> Path:
        path = (folder or tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        tone = level * np.sin(2 * np.pi * 440 * time)
        soundfile.write(path, np.stack([tone] * channels, axis=1), rate)
        return path

    return write


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    """``make_clip("a", text="bonjour")`` -> a Clip without audio behind it."""

    def make(name: str, text: str = "bonjour", **fields: object) -> Clip:
        return Clip(**{"id": name, "audio": f"{name}.wav", "text": text, **fields})

    return make
