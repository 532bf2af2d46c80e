"""Word and character errors as counts, from whose sums error rates are computed.

The WER of a corpus is the sum of errors over the sum of reference words, never a mean of rates. The
alignment is that of jiwer (Levenshtein distance by rapidfuzz). Texts are already normalised
(metrics/normalizers).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import jiwer


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Errors of hypotheses against references with `words` words (or characters)."""

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def errors(self) -> int:
        """All errors: substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """errors / words, a fraction that can exceed 1; ValueError for zero words."""
        if not self.words:
            raise ValueError("the references have no words, so the error rate is not defined")
        return self.errors / self.words

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            words=self.words + other.words,
        )


NOTHING = Counts(substitutions=0, deletions=0, insertions=0, words=0)


def count_words(reference: str, hypothesis: str) -> Counts:
    """Word errors of one utterance; with an empty reference every word is an insertion."""
    if not reference.split():
        return _only_insertions(len(hypothesis.split()))
    found = jiwer.process_words(reference, hypothesis)
    return _counts(found, len(reference.split()))


def count_chars(reference: str, hypothesis: str) -> Counts:
    """Character errors of one utterance, including spaces between words."""
    reference, hypothesis = " ".join(reference.split()), " ".join(hypothesis.split())
    if not reference:
        return _only_insertions(len(hypothesis))
    return _counts(jiwer.process_characters(reference, hypothesis), len(reference))


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of counts, which is zero for no counts."""
    return sum(counts, NOTHING)


def _counts(found: jiwer.WordOutput | jiwer.CharacterOutput, length: int) -> Counts:
    return Counts(
        substitutions=found.substitutions,
        deletions=found.deletions,
        insertions=found.insertions,
        words=length,
    )


def _only_insertions(number: int) -> Counts:
    return Counts(substitutions=0, deletions=0, insertions=number, words=0)
