"""Signs of hallucination of one row: loops, and words that nobody said.

Counted on normalised text, over the clips whose reference has words; each sign alone proves little,
but a row that shows more of one than its float row has a problem that WER can hide.
"""

from collections.abc import Callable
from typing import Any

from whisper_qat.metrics.hallucination import (
    MAX_COMPRESSION,
    compression_ratio,
    is_too_long,
    repeated_ngrams,
)
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.rows import ClipResult, Evaluation


def signs(clips: list[ClipResult], normalize: Callable[[str], str]) -> dict[str, Any] | None:
    """Figures over all clips together; None when no reference has words."""
    texts = [(normalize(c.reference), normalize(c.hypothesis), c.duration_s) for c in clips]
    texts = [(reference, said, seconds) for reference, said, seconds in texts if reference.strip()]
    audio_s = sum(seconds for _, _, seconds in texts)
    if audio_s <= 0:
        return None
    return {
        "clips": len(texts),
        "repeated_5grams": sum(repeated_ngrams(said) for _, said, _ in texts),
        "too_long": sum(is_too_long(reference, said) for reference, said, _ in texts),
        "looping": sum(compression_ratio(said) > MAX_COMPRESSION for _, said, _ in texts),
        "silent": sum(not said.strip() for _, said, _ in texts),
        "words_per_second": sum(len(said.split()) for _, said, _ in texts) / audio_s,
    }


def signs_of_rows(evaluation: Evaluation, normalize: Callable[[str], str]) -> list[dict[str, Any]]:
    """Every row on everything measured."""
    found = []
    for row in evaluation.rows:
        mine = [evaluation.clips.get((row.name, corpus), []) for corpus in evaluation.corpora]
        one = signs([clip for clips in mine for clip in clips], normalize)
        found += [{"row": row.name, "corpus": ALL} | one] if one else []
    return found
