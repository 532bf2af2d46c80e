"""Extract a published result file from the folder of a finished evaluation or benchmark.

A person adds only the words (title, question, reading); every number, hash and setting is taken
from the folder.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError, nearest
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.provenance_tables import command, revision
from whisper_qat.report.published.columns import column, machine, megabytes, round_number, value
from whisper_qat.report.published.extract_training import extract_training
from whisper_qat.report.published.reading import HIGH, LOW, ROW
from whisper_qat.report.render.tables import Results, find_score
from whisper_qat.runs.folders import hash_file, read_json, read_manifest

ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/'\"]+/)*(?=[^\s/'\"])")
INTERVALS = "95 %, bootstrap over {}"
TRAINING = "training benchmark"
FILES = {  # kind of folder -> the file with its figures
    "evaluation": "results.json",
    "benchmark": "results.json",
    TRAINING: "train_speed.json",
}
Extracted = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The words of a result file, and the names under which rows are published."""

    id: str
    title: str
    question: str
    reading: str
    section: str
    order: int
    notes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def extract(folder: str | Path, labels: Labels, clip_set: str | None = None) -> Extracted:
    """The content of the result file; InputError if the folder is of another kind."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    kind = manifest["kind"]
    if kind not in FILES:
        raise InputError(
            f"{folder}: expected an evaluation or a benchmark, got a folder of kind {kind!r}"
        )
    path = folder / FILES[kind]
    results = read_json(path)
    if kind == TRAINING:
        results["environment"] = {key: manifest[key] for key in ("command", "git_revision")}
        found, models = (
            extract_training(results, manifest),
            {role: Path(name).name for role, name in manifest["inputs"].items()},
        )
    else:
        found = (extract_evaluation if kind == "evaluation" else extract_benchmark)(
            results, clip_set
        )
        models = {row["name"]: row["fingerprint"] for row in results["rows"]}
    head = {
        "id": labels.id, "section": labels.section, "order": labels.order, "title": labels.title,
        "question": labels.question, "reading": labels.reading, "date": manifest["created"][:10],
        "commit": revision(results) or manifest["git_revision"],
        "command": strip_folders(command(results)) or None,
    }  # fmt: skip
    source = {
        "kind": "measured",
        "folder": folder.name,
        "results_sha256": hash_file(path),
        "models": models,
    }
    rows = rename_rows(found.pop("rows"), labels.names)
    columns, rows = drop_empty_columns(found.pop("columns"), rows)
    return (
        head
        | {"source": source}
        | found
        | {"columns": columns, "rows": rows, "notes": labels.notes}
    )


def strip_folders(line: str) -> str:
    """The command line with each absolute path reduced to its last component."""
    words = ABSOLUTE.sub("", line).split()
    if words and words[0].endswith(".py") and "/" not in words[0]:
        words[0] = f"scripts/{words[0]}"
    return " ".join(words)


def rename_rows(rows: list[Extracted], names: Mapping[str, str]) -> list[Extracted]:
    """The rows under their published names; InputError for a name that no row has."""
    known = [row[ROW] for row in rows]
    for name in names:
        if name not in known:
            raise InputError(f"--names {name}: no such row{nearest(name, known)}")
    return [row | {ROW: names.get(row[ROW], row[ROW])} for row in rows]


def drop_empty_columns(
    columns: list[Extracted], rows: list[Extracted]
) -> tuple[list[Extracted], list[Extracted]]:
    """The table without the columns for which no row has a value."""
    kept = [one for one in columns if any(row.get(one["name"]) is not None for row in rows)]
    names = {one["name"] + end for one in kept for end in ("", LOW, HIGH)}
    return kept, [{key: value for key, value in row.items() if key in names} for row in rows]


# --- evaluations ---------------------------------------------------------------------------------

EVALUATION_COLUMNS = [
    column(ROW, "Row", "text"),
    column("context", "Context", "text", meaning="audio that the encoder receives"),
    column("wer", "WER, %", "fraction", 2, "pooled over the training seeds"),
    column("delta", "Minus float control, points", "difference", 2, "on the same clips and seeds"),
    column("size_mb", "Size, MB", "number", 1),
    column("loss", "Loss", "number", 3, "nats per token of the reference text"),
    column("kl", "KL", "number", 4, "nats per token, from the float control"),
    column("seeds", "Seeds", "count", meaning="training seeds"),
]


def extract_evaluation(results: Results, clip_set: str | None = None) -> Extracted:
    """Every group of rows, on all measured corpora together."""
    if clip_set is not None:
        raise InputError(
            f"--clip_set {clip_set}: applies to benchmarks only; an evaluation has one table"
        )
    groups = [one for one in results["group_summary"] if one["corpus"] == ALL]
    if not groups:
        raise InputError("results.json: no group of rows was measured on any corpus")
    records = {row["name"]: row for row in results["rows"]}
    rows = [evaluation_row(one, records[one["rows"][0]]) for one in groups]
    contexts = {row["context"] for row in rows}
    if len(contexts) == 1:
        rows = [row | {"context": None} for row in rows]
    environment, config = results["environment"] or {}, results["config"] or {}
    units = sorted({one["unit"] for one in results["blocks"]})
    return {
        "machine": machine(environment, config.get("threads") or environment.get("threads")),
        "settings": {
            "model": base_model(results["rows"]),
            "test_sets": test_sets(results),
            "normalizer": results["primary_normalizer"],
            "decoding": (results["decoding"] or {}).get("strategy"),
            "runtime": ", ".join(sorted({row["runtime"] for row in results["rows"]})),
            "audio_context": contexts.pop() if len(contexts) == 1 else None,
            "training_seeds": sorted({seed for one in groups for seed in one["seeds"]}),
            "intervals": INTERVALS.format(" and ".join(f"{unit}s" for unit in units)),
        },
        "columns": EVALUATION_COLUMNS,
        "rows": rows,
    }


def evaluation_row(group: Mapping[str, Any], record: Mapping[str, Any]) -> Extracted:
    """One group of rows that differ only in the training seed."""
    return {
        ROW: group["group"],
        "context": record["context"],
        **value("wer", group["wer"]),
        **value("delta", group["delta"], "delta"),
        "size_mb": megabytes(record.get("model_bytes")),
        **value("loss", group["measures"]["loss"]),
        **value("kl", group["measures"]["kl"]),
        "seeds": len(group["seeds"]) or None,
    }


def base_model(rows: list[Mapping[str, Any]]) -> str | None:
    """The name of the base model of the rows."""
    names = {Path((row.get("base_model") or {}).get("name") or "").name for row in rows} - {""}
    return ", ".join(sorted(names)) or None


def test_sets(results: Results) -> list[Extracted]:
    """The measured corpora with their numbers of clips and scored words."""
    found = []
    for corpus in results["corpora"]:
        if corpus["status"] == "measured":
            score = find_score(results, results["rows"][0]["name"], corpus["name"])
            words = score["words"]["words"] if score else None
            name = Path(corpus["name"]).name
            found.append({"name": name, "clips": corpus["clips"], "words": words})
    return found


# --- benchmarks ----------------------------------------------------------------------------------


def benchmark_columns(reference: str) -> list[Extracted]:
    """The columns of the table of one set of clips."""
    return [
        column(ROW, "Row", "text"),
        column("size_mb", "Size, MB", "number", 1),
        column("ratio", f"× {reference}", "number", 2, "relative speed, from interleaved medians"),
        column("rtfx", "RTFx", "number", 1, "seconds of audio transcribed per second"),
        column("p50_s", "p50, s", "number", 2),
        column("p90_s", "p90, s", "number", 2),
        column("p99_s", "p99, s", "number", 2),
        column("first_token_s", "First token, s", "number", 2),
        column("tokens_per_s", "Tokens/s", "number", 0),
        column("peak_mb", "Peak memory, MB", "number", 0),
        column("wer", "WER, %", "fraction", 1),
        column("threads", "Threads", "count"),
    ]


def extract_benchmark(results: Results, clip_set: str | None = None) -> Extracted:
    """Every row on one set of clips; ``clip_set`` is required if there are several sets."""
    measured = sorted({score["set"] for score in results["scores"]})
    if clip_set is None and len(measured) == 1:
        clip_set = measured[0]
    if clip_set not in measured:
        near = nearest(clip_set, measured) if clip_set else ""
        raise InputError(f"--clip_set {clip_set}: expected one of {', '.join(measured)}{near}")
    scores = [score for score in results["scores"] if score["set"] == clip_set]
    records = {row["name"]: row for row in results["rows"]}
    rows = [benchmark_row(score, records[score["row"]]) for score in scores]
    threads = {row["threads"] for row in rows}
    if len(threads) == 1:
        rows = [row | {"threads": None} for row in rows]
    clips = next(one["clips"] for one in results["sets"] if one["name"] == clip_set)
    environment = results["environment"]
    return {
        "machine": machine(
            environment, threads.pop() if len(threads) == 1 else None, describe_load(environment)
        ),
        "settings": {
            "model": Path((results["config"] or {}).get("model_path") or "").name or None,
            "test_sets": [
                {"name": clip_set, "clips": len(clips), "words": max(s["words"] for s in scores)}
            ],
            "normalizer": results["normalizer"],
            "decoding": results["decoding"],
            "runtime": None,
            "audio_context": None,
            "training_seeds": [],
            "intervals": INTERVALS.format(resampled_units(scores)),
        },
        "columns": benchmark_columns(results["reference"]),
        "rows": rows,
    }


def benchmark_row(score: Mapping[str, Any], record: Mapping[str, Any]) -> Extracted:
    """Speed, memory and WER of one row; an interval without width is left out."""
    given = {name: score[name] for name in ("speedup", "wer")}
    wide = {
        name: one and (one if one["low"] < one["high"] else {"rate": one["rate"]})
        for name, one in given.items()
    }
    plain = ("rtfx", "p50_s", "p90_s", "p99_s", "first_token_s", "tokens_per_s")
    return {
        ROW: score["row"],
        "size_mb": megabytes(record.get("model_bytes")),
        **value("ratio", wide["speedup"]),
        **{name: None if score[name] is None else round_number(score[name]) for name in plain},
        "peak_mb": megabytes(score["peak_rss_bytes"]),
        **value("wer", wide["wer"]),
        "threads": record["threads"],
    }


def resampled_units(scores: list[Extracted]) -> str:
    """What the intervals of the ratios were resampled over."""
    found = {score["speedup"]["over"] for score in scores if score["speedup"]}
    return " and ".join(sorted(found)) or "clips"


def describe_load(environment: Mapping[str, Any]) -> str | None:
    """The load of the machine at the start, in words."""
    average = environment.get("load_average")
    if average is None:
        return None
    return f"load average {average:g} at the start{', busy' if environment.get('busy') else ''}"
