"""SRT and WebVTT, letter by letter."""

import pytest

from whisper_qat.infer.long_form.subtitles import clock, srt, vtt
from whisper_qat.infer.transcribe import SpokenSegment

SEGMENTS = [
    SpokenSegment(start_s=0.0, end_s=1.5, text="Bonjour <i> & merci", tokens=[1]),
    SpokenSegment(start_s=1.5, end_s=3725.0015, text="deux\n\nlignes", tokens=[2]),
]


def test_srt():
    assert srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:01,500\nBonjour <i> & merci\n"
        "\n"
        "2\n00:00:01,500 --> 01:02:05,002\ndeux lignes\n"
    )


def test_vtt():
    assert vtt(SEGMENTS) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.000 --> 00:00:01.500\nBonjour &lt;i&gt; &amp; merci\n"
        "\n"
        "00:00:01.500 --> 01:02:05.002\ndeux lignes\n"
    )


def test_nothing_said():
    assert srt([]) == "" and vtt([]) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00.000"), (59.9996, "00:01:00.000"), (360_000, "100:00:00.000")],
)
def test_clock_carries(seconds, text):
    assert clock(seconds, ".") == text
