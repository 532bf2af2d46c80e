"""Signs of hallucination in the transcripts of a row: loops and invented words.

They are counted on normalised text, over the clips whose reference has words. One sign alone proves
little, but a quantized row with more of them than its float row has a problem that WER can hide.
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
    """Counts over all clips together; None when no reference has words."""
    texts = [(normalize(c.reference), normalize(c.hypothesis), c.duration_s) for c in clips]
    texts = [text for text in texts if text[0].strip()]
    audio_s = sum(seconds for _, _, seconds in texts)
    if audio_s <= 0:
        return None
    return {
        "clips": len(texts),
        "repeated_5grams": sum(repeated_ngrams(hypothesis) for _, hypothesis, _ in texts),
        "too_long": sum(is_too_long(reference, hypothesis) for reference, hypothesis, _ in texts),
        "looping": sum(compression_ratio(text[1]) > MAX_COMPRESSION for text in texts),
        "silent": sum(not hypothesis.strip() for _, hypothesis, _ in texts),
        "words_per_second": sum(len(hypothesis.split()) for _, hypothesis, _ in texts) / audio_s,
    }


def signs_of_rows(evaluation: Evaluation, normalize: Callable[[str], str]) -> list[dict[str, Any]]:
    """The signs of every row, over all measured corpora together."""
    found = []
    for row in evaluation.rows:
        mine = [evaluation.clips.get((row.name, corpus), []) for corpus in evaluation.corpora]
        one = signs([clip for clips in mine for clip in clips], normalize)
        found += [{"row": row.name, "corpus": ALL} | one] if one else []
    return found
