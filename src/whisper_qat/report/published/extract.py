"""A published result file from the results of a finished evaluation or benchmark folder.

What a person adds is the words (title, question, reading) and nothing else: every number, hash and
setting is taken from the folder.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError, nearest
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.provenance_tables import command, revision
from whisper_qat.report.published.columns import column, machine, megabytes, rounded, value
from whisper_qat.report.published.extract_training import of_training
from whisper_qat.report.published.reading import HIGH, LOW, ROW
from whisper_qat.report.render.tables import Results, find_score
from whisper_qat.runs.folders import hash_file, read_json, read_manifest

ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/'\"]+/)*(?=[^\s/'\"])")
INTERVALS = "95 %, bootstrap over {}"
TRAINING = "training benchmark"
FORMS = {  # kind of folder: the file with its figures
    "evaluation": "results.json",
    "benchmark": "results.json",
    TRAINING: "train_speed.json",
}
Extracted = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The words of a result file, and names for rows that the folder calls otherwise."""

    id: str
    title: str
    question: str
    reading: str
    section: str
    order: int
    notes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def extract(folder: str | Path, labels: Labels, clip_set: str | None = None) -> Extracted:
    """The result file's content; InputError when the folder is of another kind."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    kind = manifest["kind"]
    if kind not in FORMS:
        raise InputError(
            f"{folder}: expected an evaluation or a benchmark, got a folder of kind {kind!r}"
        )
    path = folder / FORMS[kind]
    results = read_json(path)
    if kind == TRAINING:
        results["environment"] = {key: manifest[key] for key in ("command", "git_revision")}
        found, models = of_training(results, manifest), dict(manifest["inputs"])
    else:
        found = (of_evaluation if kind == "evaluation" else of_benchmark)(results, clip_set)
        models = {row["name"]: row["fingerprint"] for row in results["rows"]}
    head = {
        "id": labels.id, "section": labels.section, "order": labels.order, "title": labels.title,
        "question": labels.question, "reading": labels.reading, "date": manifest["created"][:10],
        "commit": revision(results) or manifest["git_revision"],
        "command": portable(command(results)) or None,
    }  # fmt: skip
    source = {
        "kind": "measured",
        "folder": folder.name,
        "results_sha256": hash_file(path),
        "models": models,
    }
    rows = renamed(found.pop("rows"), labels.names)
    columns, rows = filled(found.pop("columns"), rows)
    return (
        head
        | {"source": source}
        | found
        | {"columns": columns, "rows": rows, "notes": labels.notes}
    )


def portable(line: str) -> str:
    """A command line without the folders of one machine: an absolute path keeps its name alone."""
    words = ABSOLUTE.sub("", line).split()
    if words and words[0].endswith(".py") and "/" not in words[0]:
        words[0] = f"scripts/{words[0]}"
    return " ".join(words)


def renamed(rows: list[Extracted], names: Mapping[str, str]) -> list[Extracted]:
    """Rows under the names that the reader knows; InputError for a name that is not there."""
    known = [row[ROW] for row in rows]
    for name in names:
        if name not in known:
            raise InputError(f"--names {name}: no such row{nearest(name, known)}")
    return [row | {ROW: names.get(row[ROW], row[ROW])} for row in rows]


def filled(
    columns: list[Extracted], rows: list[Extracted]
) -> tuple[list[Extracted], list[Extracted]]:
    """Without the columns that no row has a value for."""
    kept = [one for one in columns if any(row.get(one["name"]) is not None for row in rows)]
    names = {one["name"] + end for one in kept for end in ("", LOW, HIGH)}
    return kept, [{key: value for key, value in row.items() if key in names} for row in rows]


# --- evaluations ---------------------------------------------------------------------------------

EVALUATION_COLUMNS = [
    column(ROW, "Row", "text"),
    column("context", "Context", "text", meaning="audio that the encoder hears"),
    column("wer", "WER, %", "fraction", 2, "pooled over the training seeds"),
    column("delta", "Minus float control, points", "difference", 2, "on the same clips and seeds"),
    column("size_mb", "Size, MB", "number", 1),
    column("loss", "Loss", "number", 3, "nats per token of the reference text"),
    column("kl", "KL", "number", 4, "nats per token, to the float control"),
    column("seeds", "Seeds", "count", meaning="training seeds"),
]


def of_evaluation(results: Results, clip_set: str | None = None) -> Extracted:
    """Every group of rows on all measured corpora together."""
    if clip_set is not None:
        raise InputError(f"--clip_set {clip_set}: is for a benchmark; an evaluation has one table")
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
    """One group of rows that differ in nothing but the training seed."""
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
    """The model that the rows descend from, by name."""
    names = {Path((row.get("base_model") or {}).get("name") or "").name for row in rows} - {""}
    return ", ".join(sorted(names)) or None


def test_sets(results: Results) -> list[Extracted]:
    """Measured corpora with their clips and scored words."""
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
    """Columns of one set of clips."""
    return [
        column(ROW, "Row", "text"),
        column("size_mb", "Size, MB", "number", 1),
        column("ratio", f"× {reference}", "number", 2, "times as fast, interleaved medians"),
        column("rtfx", "RTFx", "number", 1, "seconds of audio per second"),
        column("p50_s", "p50, s", "number", 2),
        column("p90_s", "p90, s", "number", 2),
        column("p99_s", "p99, s", "number", 2),
        column("first_token_s", "First token, s", "number", 2),
        column("tokens_per_s", "Tokens/s", "number", 0),
        column("peak_mb", "Peak memory, MB", "number", 0),
        column("wer", "WER, %", "fraction", 1),
        column("threads", "Threads", "count"),
    ]


def of_benchmark(results: Results, clip_set: str | None = None) -> Extracted:
    """Every row on one set of clips; which one must be said where there are several."""
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
            environment, threads.pop() if len(threads) == 1 else None, load(environment)
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
            "intervals": INTERVALS.format(over(scores)),
        },
        "columns": benchmark_columns(results["reference"]),
        "rows": rows,
    }


def benchmark_row(score: Mapping[str, Any], record: Mapping[str, Any]) -> Extracted:
    """One row's speed, memory and WER; an interval without width is none."""
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
        **{name: None if score[name] is None else rounded(score[name]) for name in plain},
        "peak_mb": megabytes(score["peak_rss_bytes"]),
        **value("wer", wide["wer"]),
        "threads": record["threads"],
    }


def over(scores: list[Extracted]) -> str:
    """What the ratios' intervals were drawn over."""
    found = {score["speedup"]["over"] for score in scores if score["speedup"]}
    return " and ".join(sorted(found)) or "clips"


def load(environment: Mapping[str, Any]) -> str | None:
    """How busy the machine was at the start."""
    average = environment.get("load_average")
    if average is None:
        return None
    return f"load average {average:g} at the start{', busy' if environment.get('busy') else ''}"
