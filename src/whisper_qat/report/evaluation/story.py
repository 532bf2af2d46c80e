"""What was measured, told in one sentence for each system, from the values of results.json alone.

The order is that of the work: the published model, the same quantized without training, fine-tuned
in float, and then for each bit width the latter quantized afterwards and quantization-aware
training. Training seeds that are pooled are one system. Systems outside the comparison are left
out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.groups import QAT_EFFECT, QUANTIZATION
from whisper_qat.report.evaluation.rows import (
    BASE_FLOAT,
    BASE_PTQ,
    CONTROL,
    CONTROL_PTQ,
    QAT,
    read_row,
)
from whisper_qat.report.evaluation.shown_rows import outside_names, place
from whisper_qat.report.render.printing import listing, megabytes, percent
from whisper_qat.report.render.tables import Results

SUBJECTS = {
    BASE_FLOAT: "The published model",
    BASE_PTQ: "Quantized to {weights} without training",
    CONTROL: "Fine-tuned in float",
    CONTROL_PTQ: "The model fine-tuned in float, quantized to {weights} afterwards",
    QAT: "Fine-tuned with {weights} simulated",
}
ALONE = {BASE_PTQ: "The published model, quantized to {weights} without training"}
SIMPLEST_PTQ = "round-to-nearest"  # not worth naming
NBSP = "\u00a0"

Entry = dict[str, Any]
Row = dict[str, Any]


def story(results: Results) -> list[str]:
    """One sentence for each measured group of rows inside the comparison; may be empty."""
    told = told_groups(results)
    rows = [_first_row(results, entry) for entry in told]
    contexts = [_context(row) for row in rows]
    sentences = []
    for i, (entry, row) in enumerate(zip(told, rows, strict=True)):
        same_context = i > 0 and contexts[i] == contexts[i - 1]
        facts = _facts(entry, row, "" if same_context else contexts[i])
        values = [_rate(entry) + ("" if i else " WER"), *_size(row)]
        values += _difference(results, entry, told)
        subject = _subject(row, rows[:i], rows)
        sentences.append(f"{subject} ({', '.join(facts)}): {', '.join(values)}.")
    return sentences


def told_groups(results: Results) -> list[Entry]:
    """Groups with a WER over all corpora, inside the comparison, in the order of the story."""
    left = outside_names(results)
    entries = [
        entry
        for entry in results["group_summary"]
        if entry["corpus"] == ALL and entry["wer"] and entry["rows"][0] not in left
    ]
    return sorted(
        entries,
        key=lambda e: place(e["role"], _first_row(results, e)["quantization_type"]),
    )


def _first_row(results: Results, entry: Entry) -> Row:
    """The first row of a group; its rows differ in their training seeds alone."""
    return next(row for row in results["rows"] if row["name"] == entry["rows"][0])


def _subject(row: Row, before: Sequence[Row], rows: Sequence[Row]) -> str:
    """What the system is; the published model is named where no sentence before did so."""
    words = SUBJECTS[row["role"]]
    if BASE_FLOAT not in {other["role"] for other in before}:
        words = ALONE.get(row["role"], words)
    return words.format(weights=_weights(row, rows))


def _weights(row: Row, rows: Sequence[Row]) -> str:
    """The bit width, or the scheme where two systems of a role differ in nothing else."""
    schemes = {
        other.get("scheme")
        for other in rows
        if (other["role"], other["quantization_type"]) == (row["role"], row["quantization_type"])
    }
    return str((len(schemes) > 1 and row.get("scheme")) or row["quantization_type"])


def _facts(entry: Entry, row: Row, context: str) -> list[str]:
    """The name, and what else tells the system from those before it."""
    seeds = len(entry["rows"])
    name = str(entry["group"]).replace(f" ({seeds} seeds)", f", {seeds} seeds")
    method = row.get("ptq_method")
    runtime = "PyTorch" if row["runtime"] == "torch" else ""
    facts = [name, "" if method in (None, SIMPLEST_PTQ) else str(method), context, runtime]
    return [fact for fact in facts if fact]


def _context(row: Row) -> str:
    """The audio context as in the README: `30 s`, or `clip + 3 s`."""
    mode, margin_s = read_row(row, Path("results.json")).context
    return f"30{NBSP}s" if mode == "full" else f"clip + {margin_s:g}{NBSP}s"


def _rate(entry: Entry) -> str:
    return f"{percent(entry['wer']['rate'])}{NBSP}%"


def _size(row: Row) -> list[str]:
    size = row.get("model_bytes")
    return [f"{megabytes(size)}{NBSP}MB"] if size else []


def _difference(results: Results, entry: Entry, told: Sequence[Entry]) -> list[str]:
    """Of QAT: its WER against PTQ of the float control, or else against the control."""
    if entry["role"] != QAT:
        return []
    for kind, other in ((QAT_EFFECT, "quantizing afterwards"), (QUANTIZATION, "in float")):
        found = _comparisons(results, entry, kind, [e["group"] for e in told])
        if found:
            return [listing([_compared(c, other if len(found) == 1 else c["a"]) for c in found])]
    return []


def _comparisons(results: Results, entry: Entry, kind: str, names: Sequence[str]) -> list[Entry]:
    return [
        c
        for c in results["comparisons"]
        if (c["corpus"], c["normalizer"]) == (ALL, results["primary_normalizer"])
        and (c["kind"], c["b"]) == (kind, entry["group"])
        and c["a"] in names
    ]


def _compared(c: Entry, other: str) -> str:
    """The difference without its sign; where the interval includes 0, that it may be chance."""
    if c["delta"] == 0:
        return f"the same as {other}"
    size = percent(abs(c["delta"]))
    if float(size) == 0:
        return f"within 0.01 points of {other}"
    chance = " (may be chance)" if c["low"] <= 0 <= c["high"] else ""
    return f"{size} points {'less' if c['delta'] < 0 else 'more'} than {other}{chance}"
