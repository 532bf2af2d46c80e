"""Compute ``results.json``, which holds everything that the report prints, from the measurements.

The page, the tables and the terminal output read only results.json, so every printed number can be
traced to one place.
"""

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.metrics.normalizers.normalizer import Normalizer
from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.report.evaluation.changes import changed_clips
from whisper_qat.report.evaluation.claims import claims
from whisper_qat.report.evaluation.comparisons import ALL, Tallies, compare_all
from whisper_qat.report.evaluation.gates import codes_gates
from whisper_qat.report.evaluation.group_summary import summarize_groups
from whisper_qat.report.evaluation.groups import (
    KIND_WORDS,
    MIXED,
    QUANTIZATION,
    TOTAL,
    Group,
    Pair,
    group_rows,
    members,
    pairs,
)
from whisper_qat.report.evaluation.hallucination import signs_of_rows
from whisper_qat.report.evaluation.latency import speed
from whisper_qat.report.evaluation.resampling_units import choose_units
from whisper_qat.report.evaluation.rows import (
    QAT,
    EvaluatedSystem,
    Evaluation,
    describe_context,
    describe_method,
    read_evaluation,
)
from whisper_qat.report.evaluation.scores import score_all
from whisper_qat.report.evaluation.shown_rows import (
    UNTRAINED,
    has_more_errors_than_words,
    outside,
    outside_rows,
)
from whisper_qat.report.evaluation.story import story
from whisper_qat.report.evaluation.tally import tally
from whisper_qat.report.evaluation.token_measures import gather, token_measure_results
from whisper_qat.runs.folders import write_json

FORMAT_VERSION = 1
PASSED_ON = ("baseline", "decoding", "environment", "config", "corpora")


def summarize(folder: Path) -> dict[str, Any]:
    """Compute and write ``folder/results.json``; rates and deltas in it are fractions."""
    evaluation = read_evaluation(folder)
    results = results_of(evaluation)
    write_json(Path(folder) / "results.json", results)
    return results


def results_of(evaluation: Evaluation) -> dict[str, Any]:
    """All results of an evaluation as JSON values."""
    measurements = evaluation.measurements
    normalizers = [get_normalizer(name) for name in measurements["normalizers"]]
    counted = {n.name: count_errors(evaluation, n) for n in normalizers}
    groups = group_rows(evaluation.rows)
    compared = pairs(groups, measurements.get("baseline"))
    names = [row.name for row in evaluation.rows]
    scores = [s for t in counted.values() for s in score_all(names, evaluation.corpora, t)]
    comparisons = [
        c for t in counted.values() for c in compare_all(compared, evaluation.corpora, t)
    ]
    primary = normalizers[0]
    codes = measurements.get("codes_changed", [])
    data = gather(evaluation, counted[primary.name].units, functools.cache(primary.apply))
    results = {
        "format_version": FORMAT_VERSION,
        **{key: measurements.get(key) for key in PASSED_ON},
        "normalizers": [describe_normalizer(n) for n in normalizers],
        "primary_normalizer": primary.name,
        "measured_corpora": evaluation.corpora,
        "rows": [describe_row(row) for row in evaluation.rows],
        "groups": [{"name": g.name, "rows": [r.name for r in g.rows]} for g in groups],
        "blocks": describe_units(counted[primary.name]),
        "scores": scores,
        "hallucination": signs_of_rows(evaluation, functools.cache(primary.apply)),
        "speed": speeds(evaluation),
        "comparisons": comparisons,
        "comparison_kinds": KIND_WORDS,
        "group_summary": summarize_groups(groups, evaluation.corpora, counted[primary.name], data),
        "sensitive": token_measure_results(evaluation, groups, compared, data),
        "codes_changed": codes,
        "gates": codes_gates(codes),
        "changed": changed_transcripts(evaluation, compared, counted[primary.name], primary),
    }
    return results | in_words(results, groups)


def in_words(results: dict[str, Any], groups: list[Group]) -> dict[str, Any]:
    """The rows outside the comparison, the story and the claims.

    No claim is made about an untrained model with more errors than words: its difference from
    others says how often it repeats itself.
    """
    known = results | {"outside": outside(results)}
    bases = {row["name"] for row in outside_rows(known) if row["role"] in UNTRAINED}
    broken = {name for name in bases if has_more_errors_than_words(known, name)}
    used = [c for c in results["comparisons"] if c["a"] not in broken]
    return {
        "outside": known["outside"],
        "story": story(known),
        "claims": claims(groups, used, results["primary_normalizer"]),
    }


def count_errors(evaluation: Evaluation, normalizer: Normalizer) -> Tallies:
    """Word and character errors of every row on every corpus; equal texts are normalised once."""
    normalize = functools.cache(normalizer.apply)
    return Tallies(
        normalizer=normalizer.name,
        of={key: tally(clips, normalize) for key, clips in evaluation.clips.items()},
        units={
            corpus: choose_units(list(union.values()))
            for corpus in evaluation.corpora
            if (union := _all_clips(evaluation, corpus))
        },
    )


def _all_clips(evaluation: Evaluation, corpus: str) -> dict[str, Any]:
    """Every clip of a corpus that any row measured, by id."""
    rows = [clips for (_, name), clips in evaluation.clips.items() if name == corpus]
    return {clip.id: clip for clips in rows for clip in clips}


def describe_normalizer(normalizer: Normalizer) -> dict[str, Any]:
    """Name, version and fingerprint; two results with the same fingerprint used the same rules."""
    return {
        "name": normalizer.name,
        "version": normalizer.version,
        "fingerprint": normalizer.fingerprint,
    }


def describe_row(row: EvaluatedSystem) -> dict[str, Any]:
    """The record of a row, with its role and its size as a fraction of the float models."""
    record = row.record
    size = record.get("model_bytes")
    return record | {
        "role": row.role,
        "training_seed": row.training_seed,
        "made": describe_method(row),
        "context": describe_context(row),
        "size_of_fp32": _share(size, record.get("fp32_bytes")),
        "size_of_fp16": _share(size, record.get("fp16_bytes")),
    }


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part and whole else None


def describe_units(tallies: Tallies) -> list[dict[str, Any]]:
    """The units that the bootstrap resampled on each corpus."""
    return [
        {"corpus": corpus, "unit": units.unit, "number": units.number}
        for corpus, units in tallies.units.items()
    ]


def speeds(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Speed of every row on each corpus and on all together; rows without timing are absent."""
    found = []
    for row in evaluation.rows:
        mine = {c: evaluation.clips.get((row.name, c), []) for c in evaluation.corpora}
        scopes = mine | {ALL: [clip for clips in mine.values() for clip in clips]}
        for corpus, clips in scopes.items():
            measured = speed(clips)
            if measured:
                found.append({"row": row.name, "corpus": corpus} | measured)
    return found


def changed_transcripts(
    evaluation: Evaluation, compared: list[Pair], tallies: Tallies, normalizer: Normalizer
) -> list[dict[str, Any]]:
    """Clips that QAT and its float control (or else the baseline) transcribe differently."""
    trained = [pair for pair in compared if pair.b.role == QAT]
    chosen = [pair for pair in trained if pair.kind == QUANTIZATION]
    chosen = chosen or [pair for pair in trained if pair.kind in (TOTAL, MIXED)]
    return [_changes_of_pair(evaluation, pair, tallies, normalizer) for pair in chosen]


def _changes_of_pair(
    evaluation: Evaluation, pair: Pair, tallies: Tallies, normalizer: Normalizer
) -> dict[str, Any]:
    """The changes of the first seed of a pair; one example of each clip is enough to read."""
    old, new = members(pair)[0]
    normalize = functools.cache(normalizer.apply)
    found, clips = [], 0
    for corpus in evaluation.corpora:
        before = evaluation.clips.get((old.name, corpus), [])
        after = evaluation.clips.get((new.name, corpus), [])
        if not before or not after:
            continue
        both = (tallies.of[old.name, corpus], tallies.of[new.name, corpus])
        found += changed_clips(corpus, before, after, both, normalize)
        clips += len({c.id for c in before} & {c.id for c in after})
    found.sort(key=lambda c: -abs((c.errors_after or 0) - (c.errors_before or 0)))
    items = [asdict(change) for change in found]
    return {"before": old.name, "after": new.name, "clips": clips, "items": items}
