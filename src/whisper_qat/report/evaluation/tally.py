"""Errors of each clip under one normaliser: the counts from which all rates and intervals follow.

A clip whose reference is empty after normalisation has no error rate; it is listed and left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from whisper_qat.metrics.wer import Counts, count_chars, count_words
from whisper_qat.report.evaluation.rows import ClipResult


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Word and character counts by clip id, in the order of measurement, for the same clips."""

    words: dict[str, Counts] = field(default_factory=dict)
    chars: dict[str, Counts] = field(default_factory=dict)
    empty_references: list[str] = field(default_factory=list)


def tally(clips: list[ClipResult], normalize: Callable[[str], str]) -> Tally:
    """Count the errors of one row on one corpus, with both texts normalised once."""
    counted = Tally()
    for clip in clips:
        reference, hypothesis = normalize(clip.reference), normalize(clip.hypothesis)
        if not reference.strip():
            counted.empty_references.append(clip.id)
            continue
        counted.words[clip.id] = count_words(reference, hypothesis)
        counted.chars[clip.id] = count_chars(reference, hypothesis)
    return counted
