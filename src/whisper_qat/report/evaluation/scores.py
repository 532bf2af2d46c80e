"""WER and CER of one row on one corpus, or on several together.

A rate is the sum of errors over the sum of reference words, never a mean of rates.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from whisper_qat.metrics.significance import interval
from whisper_qat.metrics.wer import Counts, total
from whisper_qat.report.evaluation.comparisons import ALL, Tallies


def score(row: str, corpora: Sequence[str], tallies: Tallies) -> dict[str, Any] | None:
    """Scores of one row, pooled over the corpora; None if it was measured on none of them."""
    present = [corpus for corpus in corpora if (row, corpus) in tallies.of]
    if not present:
        return None
    words: list[Counts] = []
    chars: list[Counts] = []
    blocks: list[str] = []
    empty: list[str] = []
    for corpus in present:
        one = tallies.of[row, corpus]
        words += one.words.values()
        chars += one.chars.values()
        blocks += [f"{corpus}/{tallies.units[corpus].label[clip]}" for clip in one.words]
        empty += one.empty_references
    return {
        "row": row,
        "corpus": corpora[0] if len(corpora) == 1 else ALL,
        "normalizer": tallies.normalizer,
        "clips": len(words),
        "empty_references": empty,
        "words": asdict(total(words)),
        "wer": rate(words, blocks),
        "chars": asdict(total(chars)),
        "cer": rate(chars, blocks),
    }


def rate(counts: list[Counts], blocks: list[str]) -> dict[str, float] | None:
    """Error rate with its 95 % interval; None when no reference has a word."""
    if not total(counts).words:
        return None
    found = interval(counts, blocks=blocks)
    return {"rate": found.rate, "low": found.low, "high": found.high}


def score_all(rows: list[str], corpora: list[str], tallies: Tallies) -> list[dict[str, Any]]:
    """Scores of every row on each corpus, and on all together under the name ALL."""
    found = [score(row, [corpus], tallies) for row in rows for corpus in corpora]
    found += [(score(row, corpora, tallies) or {}) | {"corpus": ALL} for row in rows]
    return [one for one in found if one and "row" in one]
