"""Hallucination: signs that a model wrote what nobody said. Counts and ratios of plain text."""

import zlib
from collections import Counter

NGRAM = 5
TOO_LONG = 1.5  # times the reference's words
MAX_COMPRESSION = 2.4  # openai/whisper's threshold for a transcript that loops


def repeated_ngrams(text: str, n: int = NGRAM) -> int:
    """n-grams that occurred before in the same text: count minus distinct."""
    words = text.split()
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return grams.total() - len(grams)


def compression_ratio(text: str) -> float:
    """Bytes over zlib-compressed bytes (openai/whisper `utils.py`); loops are over 2.4."""
    data = text.encode("utf-8")
    return len(data) / len(zlib.compress(data))


def is_too_long(reference: str, hypothesis: str) -> bool:
    """True when the hypothesis has more than 1.5 times the reference's words."""
    return len(hypothesis.split()) > TOO_LONG * len(reference.split())


def words_per_second(text: str, duration_s: float) -> float:
    """Speaking rate of a transcript; ordinary French is 2 to 4."""
    if duration_s <= 0:
        raise ValueError(f"duration_s={duration_s}: expected more than 0")
    return len(text.split()) / duration_s


def share_of_speech_on_silence(transcripts: list[str]) -> float:
    """Share of clips without speech that got words all the same; ValueError without clips."""
    if not transcripts:
        raise ValueError("no clips without speech: the share is not defined")
    return sum(bool(text.strip()) for text in transcripts) / len(transcripts)
