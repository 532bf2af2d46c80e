"""Audio context: known frame counts and refused values."""

import pytest

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError


@pytest.mark.parametrize(
    ("mode", "margin_s", "seconds", "frames"),
    [
        ("full", 3.0, 1.0, 3000),
        ("dynamic", 3.0, 2.0, 500),
        ("dynamic", 0.0, 1.0, 100),
        ("dynamic", 0.0, 1.0001, 102),
        ("dynamic", 3.0, 29.0, 3000),
        ("dynamic", 0.5, 30.0, 3000),
    ],
)
def test_known_frames(mode, margin_s, seconds, frames):
    context = AudioContext(mode=mode, margin_s=margin_s)
    assert context.frames(round(seconds * 16000)) == frames


@pytest.mark.parametrize("samples", range(16000, 16400, 7))
def test_frames_are_even(samples):
    assert AudioContext(mode="dynamic", margin_s=0.01).frames(samples) % 2 == 0


def test_refusals():
    with pytest.raises(InputError, match="audio_context='short': expected one of full, dynamic"):
        AudioContext(mode="short")
    with pytest.raises(InputError, match="margin_s=-1: expected 0 to 30 seconds"):
        AudioContext(mode="dynamic", margin_s=-1)
