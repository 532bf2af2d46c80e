"""Render the results page and the README's tables from the committed result files."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.errors import InputError
from whisper_qat.report.published.page import page
from whisper_qat.report.published.reading import read_all
from whisper_qat.report.published.selection import (
    fill_markers,
    read_selection,
    selection_text,
    table_text,
)
from whisper_qat.runs.folders import write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RenderResultsConfig:
    """Write docs/results.md and the README's tables anew from docs/results/*.json.

    Args:
        folder: result files, with introduction.md and readme.json
        page: the page of all tables
        readme: the file with markers '<!-- results:ID begin -->' and '<!-- results:ID end -->'
        check: write nothing; exit 1 and name each file that is not what the result files give
    """

    folder: Path = Path("docs/results")
    page: Path = Path("docs/results.md")
    readme: Path = Path("README.md")
    check: bool = False


def run(config: RenderResultsConfig) -> int:
    """Write or check both files; returns the exit status."""
    stale = {path: text for path, text in render_files(config).items() if read(path) != text}
    for path, text in stale.items():
        if config.check:
            logger.error(
                f"{path}: not what {config.folder} gives; run 'make results' and commit it"
            )
        else:
            write_text(path, text)
            logger.info(f"{path}: written")
    if not stale:
        logger.info(f"{config.page} and {config.readme}: up to date")
    return 1 if stale and config.check else 0


def render_files(config: RenderResultsConfig) -> dict[Path, str]:
    """The contents that both files should have."""
    tables = read_all(config.folder)
    introduction = read(config.folder / "introduction.md")
    if introduction is None:
        raise InputError(f"{config.folder / 'introduction.md'}: no such file")
    selection = read_selection(config.folder / "readme.json", tables)
    if selection.id in {one.id for one in tables}:
        raise InputError(
            f"{config.folder / 'readme.json'}: id: {selection.id!r} is a result file's"
        )
    readme = read(config.readme)
    if readme is None:
        raise InputError(f"{config.readme}: no such file")
    link = Path(os.path.relpath(config.page, config.readme.parent)).as_posix()
    blocks = {selection.id: selection_text(selection, link)}
    blocks |= {one.id: table_text(one, link) for one in tables}
    return {
        config.page: page(introduction, tables),
        config.readme: fill_markers(readme, blocks, config.readme),
    }


def read(path: Path) -> str | None:
    """A file's text; None where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None
