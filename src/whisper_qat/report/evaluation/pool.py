"""Join evaluations that were made on different days into one, as if all had been measured at once.

Models are large and are not kept; what an evaluation measured is small. So each training seed keeps
its own evaluation folder, and tables over seeds are made from these. Only what does not depend on
the day is joined: transcripts, losses and divergences. Times and memory are left out, because they
come from different machines.
"""

import json
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.forced_records import read_forced
from whisper_qat.report.evaluation.rows import Evaluation, read_evaluation
from whisper_qat.runs.folders import write_json, write_text

SAME = ("decoding", "normalizers")  # in every evaluation, or their errors are of different kinds
TIMES = ("wall_s",)
MACHINE_VALUES = ("load_s", "rss_before_load_bytes", "peak_rss_bytes")


def pool(folders: list[Path], output: Path, command: list[str]) -> None:
    """Write measurements and clips of all evaluations to `output`, an empty folder.

    `command` is recorded as the one that made it.

    A row that occurs in several must have the same transcripts in all of them. InputError for
    evaluations of different clips, decoding or normalisers, or for a row with two meanings.
    """
    evaluations = [read_evaluation(folder) for folder in folders]
    first = evaluations[0].measurements
    for evaluation in evaluations[1:]:
        _check_same(evaluation, evaluations[0])
    rows: dict[str, tuple[dict[str, Any], Path]] = {}
    for evaluation in evaluations:
        for record in evaluation.measurements["rows"]:
            known = rows.setdefault(record["name"], (_timeless(record), evaluation.folder))
            _check_row(record, evaluation.folder, *known)
    for name, (_, folder) in rows.items():
        _copy_clips(folder / "rows" / name, output / "rows" / name)
    for evaluation in evaluations:
        _copy_forced(evaluation.folder, output, set(rows))
    measurements = [evaluation.measurements for evaluation in evaluations]
    write_json(
        output / "measurements.json",
        first
        | {
            "rows": [record for record, _ in rows.values()],
            "codes_changed": [c for m in measurements for c in m.get("codes_changed", [])],
            "kl_reference": _joined(m.get("kl_reference") or {} for m in measurements),
            "baseline": next((m["baseline"] for m in measurements if m.get("baseline")), None),
            "environment": _environment(measurements) | {"command": command},
            "config": first.get("config", {})
            | {"evaluations": [str(folder) for folder in folders]},
        },
    )


def _check_same(mine: Evaluation, first: Evaluation) -> None:
    for key in SAME:
        found, wanted = mine.measurements[key], first.measurements[key]
        if found != wanted:
            raise InputError(
                f"{mine.folder}: {key} {found}, but {first.folder} has {wanted}; only evaluations "
                "of equal decoding and normalisers are pooled"
            )
    if _references(mine) != _references(first):
        raise InputError(
            f"{mine.folder}: other corpora, clips or reference texts than in {first.folder}"
        )


def _references(evaluation: Evaluation) -> set[tuple[str, str, str]]:
    """(corpus, clip, reference text) of all clips that were measured."""
    return {
        (corpus, clip.id, clip.reference)
        for (_, corpus), clips in evaluation.clips.items()
        for clip in clips
    }


def _check_row(record: dict[str, Any], folder: Path, known: dict[str, Any], other: Path) -> None:
    """InputError when two folders give a row of one name different transcripts."""
    name = record["name"]
    if folder == other:
        return
    mine, theirs = (_transcripts(place / "rows" / name) for place in (folder, other))
    if mine != theirs or record["method"] != known["method"]:
        raise InputError(
            f"{folder}: row {name} has other transcripts than in {other}; rows of one name are one "
            "model, so give the models different names"
        )


def _transcripts(folder: Path) -> dict[tuple[str, str], str]:
    return {
        (path.name, record["id"]): record["hypothesis"]
        for path in sorted(folder.glob("*.jsonl"))
        for record in _records(path)
    }


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {key: None if key in MACHINE_VALUES else value for key, value in record.items()}


def _copy_clips(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.jsonl")):
        records = [{k: v for k, v in one.items() if k not in TIMES} for one in _records(path)]
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        write_text(target / path.name, "".join(lines))


def _copy_forced(source: Path, output: Path, rows: set[str]) -> None:
    """Copy teacher-forced records; the first of several for the same row and reference stays."""
    for path in sorted(source.glob("teacher_forced/*/*/*.jsonl")):
        read_forced(path)  # InputError for a damaged file
        target = output / path.relative_to(source)
        if path.parts[-3] in rows and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, path.read_text(encoding="utf-8"))


def _joined(parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found = part | found
    return found


def _environment(measurements: list[dict[str, Any]]) -> dict[str, Any]:
    """The first evaluation's environment with all CPUs, what they share, and all revisions."""
    environments = [m.get("environment") or {} for m in measurements]
    cpus = [e.get("cpu") or {} for e in environments]
    names = [str(cpu.get("name") or "") for cpu in cpus]
    isa = [set(cpu.get("isa") or []) for cpu in cpus]
    revisions = [str(e.get("git_revision") or "") for e in environments]
    return environments[0] | {
        "cpu": {
            "name": ", ".join(dict.fromkeys(name for name in names if name)),
            "isa": sorted(set.intersection(*isa)),
        },
        "pooled_revisions": list(dict.fromkeys(revision for revision in revisions if revision)),
    }
