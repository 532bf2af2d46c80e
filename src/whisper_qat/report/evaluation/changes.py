"""Clips whose transcript differs between two rows, with the differing words marked.

Normalised text decides whether a transcript changed. The raw text is shown, in which words that
differ only in case or punctuation are not marked.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from whisper_qat.report.evaluation.rows import ClipResult
from whisper_qat.report.evaluation.tally import Tally

Segments = list[tuple[bool, str]]  # (differs, words)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One clip before and after, with its word errors under the normaliser of the comparison."""

    id: str
    corpus: str
    reference: str
    before: Segments
    after: Segments
    errors_before: int | None  # None: the reference is empty after normalisation
    errors_after: int | None


def diff_words(before: str, after: str) -> tuple[Segments, Segments]:
    """Both texts as runs of words, each marked with whether it differs from the other text."""
    a, b = before.split(), after.split()
    matcher = difflib.SequenceMatcher(None, [_bare(w) for w in a], [_bare(w) for w in b], False)
    left: Segments = []
    right: Segments = []
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        left += [(tag != "equal", " ".join(a[a0:a1]))] if a1 > a0 else []
        right += [(tag != "equal", " ".join(b[b0:b1]))] if b1 > b0 else []
    return left, right


def _bare(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum()) or word


def changed_clips(
    corpus: str,
    before: list[ClipResult],
    after: list[ClipResult],
    tallies: tuple[Tally, Tally],
    normalize: Callable[[str], str],
) -> list[Change]:
    """Clips of one corpus that both rows measured and transcribed differently."""
    later = {clip.id: clip for clip in after}
    return [
        _change(corpus, old, later[old.id], tallies)
        for old in before
        if old.id in later and normalize(old.hypothesis) != normalize(later[old.id].hypothesis)
    ]


def _change(corpus: str, old: ClipResult, new: ClipResult, tallies: tuple[Tally, Tally]) -> Change:
    left, right = diff_words(old.hypothesis, new.hypothesis)
    errors = [t.words[old.id].errors if old.id in t.words else None for t in tallies]
    return Change(
        id=old.id,
        corpus=corpus,
        reference=old.reference,
        before=left,
        after=right,
        errors_before=errors[0],
        errors_after=errors[1],
    )
