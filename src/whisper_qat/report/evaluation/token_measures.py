"""Measures more sensitive than WER: loss and KL per token, agreement of top tokens, changed texts.

Each measure is a ratio of sums over clips, so its interval comes from the same bootstrap over the
same units as that of WER. KL, agreement and changed transcripts compare a row with its reference
row; a row that is its own reference has none of them. The sums of a clip are added over training
seeds, as for WER.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from whisper_qat.metrics.significance import holm, paired_ratio, ratio_interval
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.forced_records import Forced, forced_path, read_forced
from whisper_qat.report.evaluation.groups import Group, Pair, members
from whisper_qat.report.evaluation.resampling_units import ResamplingUnits
from whisper_qat.report.evaluation.rows import Evaluation

LOSS, KL, AGREEMENT, CHANGED = "loss", "kl", "agreement", "changed"
TO_REFERENCE = (KL, AGREEMENT, CHANGED)
MEASURES = (LOSS, *TO_REFERENCE)
Sums = dict[str, tuple[float, float]]  # clip id -> numerator, denominator
Clip = tuple[str, str]  # corpus, clip id


@dataclass(frozen=True, kw_only=True)
class TokenMeasures:
    """Sums ``of[row, corpus, measure]``, the ``reference`` row of each row, ``units[corpus]``."""

    of: dict[tuple[str, str, str], Sums]
    reference: dict[str, str | None]
    units: dict[str, ResamplingUnits]

    def has(self, row: str, measure: str) -> bool:
        """Whether a row can have a measure; some of them need another row as reference."""
        return measure not in TO_REFERENCE or self.reference.get(row) not in (None, row)


def gather(
    evaluation: Evaluation, units: dict[str, ResamplingUnits], normalize: Callable[[str], str]
) -> TokenMeasures:
    """All sums of an evaluation folder; measures that were not taken are absent."""
    reference = evaluation.measurements.get("kl_reference") or {}
    found: dict[tuple[str, str, str], Sums] = {}
    for row in evaluation.rows:
        for corpus in evaluation.corpora:
            path = forced_path(evaluation.folder, row.name, reference.get(row.name), corpus)
            for measure, sums in _forced_sums(read_forced(path)).items():
                found[row.name, corpus, measure] = sums
            changed = _changed_sums(
                evaluation, row.name, reference.get(row.name), corpus, normalize
            )
            found[row.name, corpus, CHANGED] = changed
    kept = {key: sums for key, sums in found.items() if sums}
    return TokenMeasures(of=kept, reference=reference, units=units)


def _forced_sums(records: dict[str, Forced]) -> dict[str, Sums]:
    to_reference = {i: r for i, r in records.items() if r.kl is not None}
    return {
        LOSS: {i: (r.loss, r.tokens) for i, r in records.items()},
        KL: {i: (r.kl or 0.0, r.tokens) for i, r in to_reference.items()},
        AGREEMENT: {i: (float(r.agreeing or 0), r.tokens) for i, r in to_reference.items()},
    }


def _changed_sums(
    evaluation: Evaluation,
    row: str,
    reference: str | None,
    corpus: str,
    normalize: Callable[[str], str],
) -> Sums:
    """(1, 1) for clips whose normalised text differs from the reference row's, else (0, 1)."""
    theirs = {c.id: c for c in evaluation.clips.get((reference or "", corpus), [])}
    return {
        c.id: (float(normalize(c.hypothesis) != normalize(theirs[c.id].hypothesis)), 1.0)
        for c in evaluation.clips.get((row, corpus), [])
        if c.id in theirs
    }


def measure_group(
    names: Sequence[str], corpora: Sequence[str], data: TokenMeasures
) -> dict[str, Any]:
    """Each measure pooled over clips and rows, with interval and number of clips, or None."""
    return {measure: _rate(names, corpora, data, measure) for measure in MEASURES}


def _rate(
    names: Sequence[str], corpora: Sequence[str], data: TokenMeasures, measure: str
) -> dict[str, Any] | None:
    rows = [name for name in names if data.has(name, measure)]
    clips = _shared(rows, corpora, data, measure)
    if not clips:
        return None
    above, below = _pooled(rows, clips, data, measure)
    found = ratio_interval(above, below, blocks=_labels(clips, data))
    return asdict(found) | {"clips": len(clips), "sum_of_weights": sum(below)}


def compare_measure(
    pair: Pair, corpora: Sequence[str], data: TokenMeasures, measure: str
) -> dict[str, Any] | None:
    """Difference b - a of one measure; None where the two are not comparable.

    Measures against a reference are comparable only when both rows have the same reference row, and
    the loss only when both models have the same tokens.
    """
    matched = members(pair)
    rows = [row.name for both in matched for row in both]
    if measure in TO_REFERENCE:
        same = all(data.reference.get(a.name) == data.reference.get(b.name) for a, b in matched)
        if not same or not all(data.has(name, measure) for name in rows):
            return None
    clips = _shared(rows, corpora, data, measure)
    a, tokens = _pooled([old.name for old, _ in matched], clips, data, measure)
    b, tokens_b = _pooled([new.name for _, new in matched], clips, data, measure)
    if not clips or tokens != tokens_b:
        return None
    found = paired_ratio(a, b, tokens, blocks=_labels(clips, data))
    return {"measure": measure, "kind": pair.kind, "a": pair.a.name, "b": pair.b.name} | asdict(
        found
    )


def _shared(
    rows: Sequence[str], corpora: Sequence[str], data: TokenMeasures, measure: str
) -> list[Clip]:
    """Clips for which all rows have the measure."""
    found: list[Clip] = []
    for corpus in corpora if rows else ():
        sums = [data.of.get((row, corpus, measure), {}) for row in rows]
        found += [(corpus, clip) for clip in sums[0] if all(clip in one for one in sums[1:])]
    return found


def _pooled(
    rows: Sequence[str], clips: list[Clip], data: TokenMeasures, measure: str
) -> tuple[list[float], list[float]]:
    """Numerator and denominator of each clip, summed over rows."""
    pairs = [[data.of[row, corpus, measure][clip] for row in rows] for corpus, clip in clips]
    return [sum(p[0] for p in one) for one in pairs], [sum(p[1] for p in one) for one in pairs]


def _labels(clips: list[Clip], data: TokenMeasures) -> list[str]:
    return [f"{corpus}/{data.units[corpus].label[clip]}" for corpus, clip in clips]


def scopes(corpora: list[str]) -> list[tuple[str, list[str]]]:
    """(name, corpora) for all corpora together and, where there are several, for each."""
    return [(ALL, corpora)] + ([(c, [c]) for c in corpora] if len(corpora) > 1 else [])


def token_measure_results(
    evaluation: Evaluation, groups: list[Group], pairs: list[Pair], data: TokenMeasures
) -> dict[str, Any]:
    """The part of results.json on these measures: rows, comparisons and reference rows."""
    rows, compared = [], []
    for name, scope in scopes(evaluation.corpora):
        rows += [
            {"row": row.name, "corpus": name} | measure_group([row.name], scope, data)
            for row in evaluation.rows
        ]
        for measure in MEASURES:
            one = [c for c in (compare_measure(p, scope, data, measure) for p in pairs) if c]
            adjusted = holm([c["p"] for c in one])
            compared += [
                {"corpus": name} | c | {"p_holm": p} for c, p in zip(one, adjusted, strict=True)
            ]
    return {"reference": data.reference, "rows": rows, "comparisons": compared}
