"""Paired differences in WER between groups of rows, with interval, p and smallest provable margin.

The counts of a clip are summed over the training seeds, and the bootstrap resamples the clip as one
unit, because its difficulty is the same for every seed. The interval therefore covers the choice of
clips; the spread over seeds is listed separately.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whisper_qat.metrics.significance import holm, paired_bootstrap, smallest_margin
from whisper_qat.metrics.wer import Counts, total
from whisper_qat.report.evaluation.groups import Pair, members
from whisper_qat.report.evaluation.resampling_units import ResamplingUnits
from whisper_qat.report.evaluation.tally import Tally

ALL = "all"  # every measured corpus together


@dataclass(frozen=True, kw_only=True)
class Tallies:
    """All counts under one normaliser: ``of[row name, corpus]``, and ``units[corpus]``."""

    normalizer: str
    of: dict[tuple[str, str], Tally]
    units: dict[str, ResamplingUnits]


Clip = tuple[str, str]  # corpus, clip id


def compare(pair: Pair, corpora: Sequence[str], tallies: Tallies) -> dict[str, Any] | None:
    """One comparison over the clips that all its rows measured; None when there are none."""
    matched = members(pair)
    names = [row.name for rows in matched for row in rows]
    clips = _shared_clips(names, corpora, tallies)
    if not clips:
        return None
    before = {row.name: _counts(row.name, clips, tallies) for row, _ in matched}
    after = {row.name: _counts(row.name, clips, tallies) for _, row in matched}
    a = _summed([before[row.name] for row, _ in matched])
    b = _summed([after[row.name] for _, row in matched])
    blocks = [f"{corpus}/{tallies.units[corpus].label[clip]}" for corpus, clip in clips]
    found = paired_bootstrap(a, b, blocks=blocks)
    each = [
        {"seed": new.training_seed, "a": old.name, "b": new.name}
        | _utterances(before[old.name], after[new.name])
        for old, new in matched
    ]
    return {
        "kind": pair.kind,
        "a": pair.a.name,
        "b": pair.b.name,
        "normalizer": tallies.normalizer,
        "clips": len(clips),
        "words": total(before[matched[0][0].name]).words,
        "wer_a": total(a).rate,
        "wer_b": total(b).rate,
        "delta": found.delta,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "smallest_margin": smallest_margin(found),
        "blocks": len(set(blocks)),
        "block_unit": sorted({tallies.units[corpus].unit for corpus, _ in clips}),
        "regressions": sum(one["regressions"] for one in each),
        "improvements": sum(one["improvements"] for one in each),
        "transcripts": len(clips) * len(matched),
        "seeds": sorted({one["seed"] for one in each if one["seed"] is not None}),
        "members": each,
    }


def pooled_counts(
    names: Sequence[str], corpora: Sequence[str], tallies: Tallies
) -> tuple[list[Counts], list[str]]:
    """Counts of each clip summed over the named rows, and its resampling unit."""
    clips = _shared_clips(list(names), corpora, tallies)
    counts = _summed([_counts(name, clips, tallies) for name in names])
    return counts, [f"{corpus}/{tallies.units[corpus].label[clip]}" for corpus, clip in clips]


def _shared_clips(names: list[str], corpora: Sequence[str], tallies: Tallies) -> list[Clip]:
    """Clips that every named row has counts for, in the order of the first row."""
    found = []
    for corpus in corpora:
        counted = [tallies.of[n, corpus].words if (n, corpus) in tallies.of else {} for n in names]
        found += [(corpus, clip) for clip in counted[0] if all(clip in c for c in counted[1:])]
    return found


def _counts(name: str, clips: list[Clip], tallies: Tallies) -> list[Counts]:
    return [tallies.of[name, corpus].words[clip] for corpus, clip in clips]


def _summed(rows: list[list[Counts]]) -> list[Counts]:
    """Counts of each clip summed over the rows."""
    return [total(list(counts)) for counts in zip(*rows, strict=True)]


def _utterances(before: list[Counts], after: list[Counts]) -> dict[str, Any]:
    """Delta of one pair of rows, and on how many clips the errors increased or decreased."""
    moves = [new.errors - old.errors for old, new in zip(before, after, strict=True)]
    return {
        "delta": total(after).rate - total(before).rate,
        "regressions": sum(move > 0 for move in moves),
        "improvements": sum(move < 0 for move in moves),
    }


def has_width(comparison: Mapping[str, Any]) -> bool:
    """Whether the interval has a width; one without supports no margin."""
    return bool(comparison["low"] < comparison["high"])


def compare_all(pairs: list[Pair], corpora: list[str], tallies: Tallies) -> list[dict[str, Any]]:
    """Every pair on each corpus and on all together; p is adjusted (Holm) within each of them."""
    scopes = [(ALL, corpora)] + ([(c, [c]) for c in corpora] if len(corpora) > 1 else [])
    found = []
    for name, scope in scopes:
        one = [c for c in (compare(pair, scope, tallies) for pair in pairs) if c]
        adjusted = holm([c["p"] for c in one])
        found += [{"corpus": name} | c | {"p_holm": p} for c, p in zip(one, adjusted, strict=True)]
    return found
