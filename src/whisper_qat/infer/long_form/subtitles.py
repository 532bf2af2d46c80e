"""Segments as SubRip (SRT) and WebVTT subtitles: one cue each, numbered from 1.

SRT has a comma before the milliseconds; WebVTT has a point, a header, and escapes for & < and >,
which would be markup there (W3C WebVTT, section 4.2.2).
"""

from collections.abc import Sequence

from whisper_qat.infer.transcribe import SpokenSegment

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def srt(segments: Sequence[SpokenSegment]) -> str:
    """The content of an .srt file."""
    return "\n".join(
        f"{number}\n{clock(s.start_s, ',')} --> {clock(s.end_s, ',')}\n{one_line(s.text)}\n"
        for number, s in enumerate(segments, start=1)
    )


def vtt(segments: Sequence[SpokenSegment]) -> str:
    """The content of a .vtt file."""
    cues = [
        f"{clock(s.start_s, '.')} --> {clock(s.end_s, '.')}\n{escape(one_line(s.text))}\n"
        for s in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def clock(seconds: float, point: str) -> str:
    """Format a time as hh:mm:ss, `point` and milliseconds."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def one_line(text: str) -> str:
    """`text` without line breaks, as an empty line would end the cue."""
    return " ".join(text.split())


def escape(text: str) -> str:
    """`text` with the characters escaped that WebVTT reads as markup."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)
