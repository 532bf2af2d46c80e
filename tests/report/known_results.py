"""Results of known values: the parts of results.json from which the story and the plots are made.

Nothing is computed from transcripts, so a test can name every rate and difference.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whisper_qat.report.evaluation.groups import group_rows
from whisper_qat.report.evaluation.rows import read_row
from whisper_qat.report.evaluation.summary import describe_row


def rate(value: float, low: float | None = None, high: float | None = None) -> dict[str, float]:
    """A rate with its interval; without one, five points on either side."""
    return {
        "rate": value,
        "low": value - 0.05 if low is None else low,
        "high": value + 0.05 if high is None else high,
    }


def known_results(
    rows: Sequence[tuple[dict[str, Any], Any]], *comparisons: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """Results of rows, each with its WER: a number, a `rate` or None where it was not measured."""
    systems = [read_row(record, Path("m.json")) for record, _ in rows]
    found = {r["name"]: rate(wer) if isinstance(wer, float) else wer for r, wer in rows}
    return {
        "rows": [describe_row(system) for system in systems],
        "primary_normalizer": "card",
        "baseline": None,
        "outside": [],
        "scores": [
            {"row": name, "corpus": "all", "normalizer": "card", "wer": wer, "cer": wer}
            for name, wer in found.items()
        ],
        "group_summary": [
            {
                "corpus": "all",
                "group": group.name,
                "rows": [member.name for member in group.rows],
                "role": group.role,
                "wer": found[group.rows[0].name],
            }
            for group in group_rows(systems)
        ],
        "comparisons": list(comparisons),
    } | changes


def compared(
    kind: str, a: str, b: str, delta: float, low: float = -1.0, high: float = 1.0
) -> dict[str, Any]:
    """A comparison over all corpora under the primary normaliser."""
    scope = {"corpus": "all", "normalizer": "card"}
    return scope | {"kind": kind, "a": a, "b": b, "delta": delta, "low": low, "high": high}
