"""Which systems the story, the plots and the first table show, and in which order.

Systems outside the comparison are listed on their own: beside a WER of 200 % all others look equal,
and an untrained model on an audio context that it does not know says nothing about quantization.
All other tables keep every row.
"""

import re
from pathlib import Path
from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.groups import same_model
from whisper_qat.report.evaluation.rows import (
    BASE_FLOAT,
    BASE_PTQ,
    CONTROL,
    CONTROL_PTQ,
    QAT,
    read_row,
)
from whisper_qat.report.render.tables import Results, find_score

RULE = (
    "Systems are outside the comparison if their WER is above 100 %, which is more errors than "
    "words, or if they are untrained and were measured on a shortened audio context although the "
    "same model was also measured on 30 s, the length that Whisper was trained on."
)
UNTRAINED, FULL = (BASE_FLOAT, BASE_PTQ), "full"
MOST_ERRORS = 1.0  # of the reference words
ORDER = {BASE_FLOAT: 0, BASE_PTQ: 1, CONTROL: 2, CONTROL_PTQ: 3, QAT: 3}

Row = dict[str, Any]


def place(role: str, quantization_type: str) -> tuple[int, int, bool]:
    """Sort key: published, quantized, trained in float, then PTQ and QAT of each bit width."""
    bits = re.search(r"\d+", quantization_type)
    return ORDER[role], -int(bits[0]) if bits else 0, role == QAT


def outside(results: Results) -> list[str]:
    """Names of the rows outside the comparison by RULE; none if nothing else was measured.

    Training seeds that are pooled are judged together, so a seed that fails is not hidden.
    """
    rows = {row["name"]: row for row in results["rows"]}
    measured = [g for g in results["group_summary"] if g["corpus"] == ALL and g["wer"]]
    known = [rows[group["rows"][0]] for group in measured]
    left = [
        group
        for group, row in zip(measured, known, strict=True)
        if group["wer"]["rate"] > MOST_ERRORS or _has_full_twin(row, known)
    ]
    if len(left) == len(measured):
        return []
    return [name for group in left for name in group["rows"]]


def _has_full_twin(row: Row, rows: list[Row]) -> bool:
    """Whether this is an untrained row on a shortened context, and a row has its model on 30 s."""
    mine, *others = [read_row(one, Path("results.json")) for one in [row, *rows]]
    if mine.role not in UNTRAINED or mine.context[0] == FULL:
        return False
    return any(
        other.role in UNTRAINED and other.context[0] == FULL and same_model(mine, other)
        for other in others
    )


def shown_rows(results: Results) -> list[Row]:
    """The rows inside the comparison, in the order of `place`."""
    left = outside_names(results)
    inside = [row for row in results["rows"] if row["name"] not in left]
    return sorted(inside, key=lambda row: place(row["role"], row["quantization_type"]))


def outside_rows(results: Results) -> list[Row]:
    """The rows outside the comparison, as measured."""
    left = outside_names(results)
    return [row for row in results["rows"] if row["name"] in left]


def outside_names(results: Results) -> list[str]:
    """Names of these rows; none in results that were written before they were told apart."""
    return list(results.get("outside") or [])


def has_more_errors_than_words(results: Results, name: str | None) -> bool:
    """Whether a row's WER is so high that no difference to it tells anything about other rows."""
    score = find_score(results, name or "")
    return bool(score and score["wer"] and score["wer"]["rate"] > MOST_ERRORS)
