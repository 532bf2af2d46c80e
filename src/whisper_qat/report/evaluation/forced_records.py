"""Teacher-forced records of an evaluation folder: loss, KL and agreement of each clip.

The files are ``teacher_forced/ROW/REFERENCE/CORPUS.jsonl``, because KL depends on the reference
row; records against different references are kept side by side.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.errors import InputError

ALONE = "_alone"  # cannot be the name of a row: those begin with a letter or digit


@dataclass(frozen=True, kw_only=True)
class Forced:
    """Sums over the `tokens` of one clip; `kl` and `agreeing` are None without a reference."""

    tokens: int
    loss: float
    kl: float | None
    agreeing: int | None


def forced_path(folder: str | Path, row: str, reference: str | None, corpus: str) -> Path:
    """Path of the teacher-forced records of one row on one corpus."""
    name = f"{corpus.replace('/', '--')}.jsonl"
    return Path(folder) / "teacher_forced" / row / (reference or ALONE) / name


def read_forced(path: Path) -> dict[str, Forced]:
    """Records by clip id, without the skipped clips; empty when there is no file."""
    found = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if "skipped" not in record:
                found[record["id"]] = Forced(
                    **{k: record[k] for k in ("tokens", "loss", "kl", "agreeing")}
                )
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path}: line {number}: not a valid record; delete the file to measure "
                "its clips again"
            ) from None
    return found
