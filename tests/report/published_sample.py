"""A small published result file for tests, which change copies of it."""

import copy
import json
from pathlib import Path
from typing import Any

RECORD: dict[str, Any] = {
    "id": "sample",
    "section": "accuracy",
    "order": 1,
    "title": "A sample",
    "question": "What does int8 cost?",
    "reading": "Nothing that can be measured.",
    "date": "2026-11-21",
    "commit": None,
    "command": "make quickstart",
    "source": {
        "kind": "transcribed",
        "document": "log",
        "entry": "a-finding.md",
        "commit": "0bea079",
    },
    "machine": {
        "cpu": "AMD EPYC",
        "isa": ["avx2", "avx512_vnni"],
        "cores": 2,
        "threads": 1,
        "load": None,
    },
    "settings": {
        "model": "Whisper base",
        "test_sets": [{"name": "prompts", "clips": 101, "words": 1648}],
        "normalizer": "card",
        "decoding": "greedy",
        "runtime": None,
        "audio_context": "30 s",
        "training_seeds": [0, 1],
        "intervals": "95 %",
    },
    "columns": [
        {"name": "row", "title": "Row", "unit": "text", "decimals": None, "meaning": None},
        {"name": "wer", "title": "WER, %", "unit": "fraction", "decimals": 2, "meaning": "pooled"},
        {"name": "delta", "title": "Minus, points", "unit": "difference", "decimals": 2,
         "meaning": None},
        {"name": "size_mb", "title": "MB", "unit": "number", "decimals": 1, "meaning": None},
        {"name": "words", "title": "Words", "unit": "count", "decimals": None, "meaning": None},
        {"name": "note", "title": "Note", "unit": "text", "decimals": None, "meaning": None},
    ],
    "rows": [
        {"row": "float control", "wer": 0.2783, "wer_low": 0.2368, "wer_high": 0.3133,
         "delta": None, "size_mb": 290.5, "words": 3097, "note": None},
        {"row": "QAT int8", "wer": 0.2801, "delta": -0.0017, "delta_low": -0.0061,
         "delta_high": 0.0024, "size_mb": 79.32, "words": None, "note": "one | seed"},
    ],
    "notes": ["Two rows suffice."],
}  # fmt: skip


def record(**changes: Any) -> dict[str, Any]:
    """The sample with some keys replaced; 'machine.threads' reaches inside."""
    found = copy.deepcopy(RECORD)
    for key, value in changes.items():
        set_value(found, key, value)
    return found


def set_value(found: dict[str, Any], key: str, value: Any) -> None:
    """``found["machine"]["threads"] = value`` for 'machine.threads'; numbers are list places."""
    *parents, last = (int(part) if part.isdigit() else part for part in key.split("."))
    target: Any = found
    for parent in parents:
        target = target[parent]
    target[last] = value


def write(folder: Path, **changes: Any) -> Path:
    """The file of a changed sample."""
    found = record(**changes)
    path = folder / f"{found['id'] if isinstance(found['id'], str) else 'sample'}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


SELECTION: dict[str, Any] = {
    "id": "summary",
    "title": "Model",
    "columns": [
        {"title": "WER, %", "table": "sample", "column": "wer"},
        {"title": "Other, MB", "table": "other", "column": "size_mb"},
    ],
    "rows": [
        {"label": "**QAT**", "rows": {"sample": "QAT int8"}},
        {"label": "float", "rows": {"sample": "float control", "other": "float control"}},
    ],
    "notes": ["Chosen rows."],
}


def results_folder(folder: Path) -> Path:
    """Two tables, an introduction and a selection."""
    write(folder)
    write(folder, id="other", section="speed", title="Another")
    (folder / "introduction.md").write_text("# Results\n\nWhat the words mean.\n")
    (folder / "readme.json").write_text(json.dumps(SELECTION))
    return folder
