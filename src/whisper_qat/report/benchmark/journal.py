"""Read the journals of a benchmark: all lines, or the transcripts by clip."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TRANSCRIPT = "transcript"
Answers = dict[str, list[dict[str, Any]]]  # clip -> its measurements, in the order of rounds


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; none if it does not exist yet."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def transcripts(lines: Iterable[dict[str, Any]]) -> Answers:
    """The transcripts of one row by clip, without the runs of a fixed number of tokens."""
    found: Answers = defaultdict(list)
    for line in sorted(lines, key=lambda line: line["round"]):
        if line["what"] == TRANSCRIPT:
            found[line["clip"]].append(line)
    return dict(found)
