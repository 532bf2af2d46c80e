"""The journals of a benchmark as read for a report: lines, and transcripts by clip."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TRANSCRIPT = "transcript"
Answers = dict[str, list[dict[str, Any]]]  # clip -> its measurements, in the order of rounds


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Complete lines of a journal; none when it was not written yet."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def transcripts(lines: Iterable[dict[str, Any]]) -> Answers:
    """The transcripts of one row by clip; fixed lengths are left out."""
    found: Answers = defaultdict(list)
    for line in sorted(lines, key=lambda line: line["round"]):
        if line["what"] == TRANSCRIPT:
            found[line["clip"]].append(line)
    return dict(found)
