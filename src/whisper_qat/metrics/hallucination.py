"""Signs of hallucination: counts and ratios that suggest invented or looping text."""

import zlib
from collections import Counter

NGRAM = 5
TOO_LONG = 1.5  # times the number of reference words
MAX_COMPRESSION = 2.4  # openai/whisper's threshold for a transcript that loops


def repeated_ngrams(text: str, n: int = NGRAM) -> int:
    """Number of n-grams that occurred before in the same text: all n-grams minus distinct ones."""
    words = text.split()
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return grams.total() - len(grams)


def compression_ratio(text: str) -> float:
    """Bytes over zlib-compressed bytes (openai/whisper `utils.py`); above 2.4 for loops."""
    data = text.encode("utf-8")
    return len(data) / len(zlib.compress(data))


def is_too_long(reference: str, hypothesis: str) -> bool:
    """Whether the hypothesis has more than 1.5 times as many words as the reference."""
    return len(hypothesis.split()) > TOO_LONG * len(reference.split())


def words_per_second(text: str, duration_s: float) -> float:
    """Speaking rate of a transcript in words per second; 2 to 4 is usual for French."""
    if duration_s <= 0:
        raise ValueError(f"duration_s={duration_s}: expected more than 0")
    return len(text.split()) / duration_s


def share_of_speech_on_silence(transcripts: list[str]) -> float:
    """Share of clips without speech whose transcript has words; ValueError without clips."""
    if not transcripts:
        raise ValueError("no clips without speech were given, so the share is not defined")
    return sum(bool(text.strip()) for text in transcripts) / len(transcripts)
