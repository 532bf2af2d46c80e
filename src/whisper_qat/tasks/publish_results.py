"""Publish a finished evaluation or benchmark folder as a result file of docs/results."""

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from whisper_qat.errors import InputError
from whisper_qat.report.published.extract import Labels, extract
from whisper_qat.report.published.reading import json_text, table_of
from whisper_qat.runs.folders import write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PublishResultsConfig:
    """Write the numbers of a finished evaluation or benchmark to docs/results/ID.json.

    Args:
        folder: a finished folder of evaluate_qat.py or benchmark.py
        id: name of the file and of the table's link: small letters, digits, hyphens
        title: heading of the table
        question: what the table answers, in one sentence
        reading: what it says, in one sentence
        section: part of the page
        order: place within the section, small numbers first
        notes: sentences under the table
        names: names of rows for the reader, as ROW=NAME
        clip_set: which set of a benchmark; not needed where it has one
        output_dir: where result files are kept
        replace: overwrite the file of that id
    """

    folder: Path
    id: str
    title: str
    question: str
    reading: str
    section: Literal["accuracy", "size", "speed", "training"] = "accuracy"
    order: int = 50
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    clip_set: str | None = None
    output_dir: Path = Path("docs/results")
    replace: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise InputError(f"--id {self.id!r}: expected small letters, digits and hyphens")
        for name in self.names:
            if not all(part.strip() for part in [*name.partition("=")]):
                raise InputError(f"--names {name!r}: expected ROW=NAME")


def run(config: PublishResultsConfig) -> None:
    """Write the file after applying the same checks as when it is read."""
    path = config.output_dir / f"{config.id}.json"
    if path.exists() and not config.replace:
        raise InputError(f"{path}: exists; give --replace true to overwrite it, or another --id")
    labels = Labels(
        id=config.id, title=config.title, question=config.question, reading=config.reading,
        section=config.section, order=config.order, notes=config.notes,
        names={row: name for row, _, name in (one.partition("=") for one in config.names)},
    )  # fmt: skip
    record = extract(config.folder, labels, config.clip_set)
    table = table_of(record, path)
    write_text(path, json_text(record))
    logger.info(
        f"{path}: {len(table.rows)} rows, {len(table.columns)} columns; now run 'make results'"
    )
