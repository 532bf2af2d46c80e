"""The tables of the README: rows selected from the published files, placed between markers.

``docs/results/readme.json`` names the rows and columns of one table that combines several files. A
marker may also name a result file, whose whole table is then placed there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError, nearest
from whisper_qat.report.published.form import OBJECT, OBJECTS, TEXT, TEXTS, check
from whisper_qat.report.published.page import (
    cell,
    commit,
    data,
    machine,
    origin,
    settings,
    text_table,
    wrap,
)
from whisper_qat.report.published.reading import ROW, Published, PublishedColumn
from whisper_qat.report.render.printing import NOT_MEASURED
from whisper_qat.report.render.tables import Column, Table, grid
from whisper_qat.runs.folders import read_json

SELECTION = {"id": TEXT, "title": TEXT, "columns": OBJECTS, "rows": OBJECTS, "notes": TEXTS}
SELECTED_COLUMN = {"title": TEXT, "table": TEXT, "column": TEXT}
SELECTED_ROW = {"label": TEXT, "rows": OBJECT}
MARKER = re.compile(r"<!-- results:(\S+) (begin|end) -->")


@dataclass(frozen=True, kw_only=True)
class Selected:
    """A column of a selection, with the file that it comes from."""

    title: str
    source: Published
    column: PublishedColumn


@dataclass(frozen=True, kw_only=True)
class Selection:
    """One table for the README: ``rows`` maps each label to the row names in each table."""

    id: str
    title: str
    columns: list[Selected]
    rows: dict[str, dict[str, str]]
    notes: list[str]


def read_selection(path: str | Path, tables: Sequence[Published]) -> Selection:
    """Read the selection file; InputError for an unknown table, column or row."""
    record = read_json(path)
    check(record, SELECTION, str(path))
    by_id = {one.id: one for one in tables}
    columns = [
        _read_column(one, by_id, f"{path}", f"columns[{number}]")
        for number, one in enumerate(record["columns"])
    ]
    rows = {}
    for number, one in enumerate(record["rows"]):
        where = f"rows[{number}]"
        check(one, SELECTED_ROW, str(path), where)
        for table_id, name in one["rows"].items():
            names = [row[ROW] for row in _find(table_id, by_id, f"{path}: {where}.rows").rows]
            if name not in names:
                raise InputError(
                    f"{path}: {where}.rows.{table_id}: that table has no row {name!r}"
                    f"{nearest(str(name), names)}"
                )
        rows[one["label"]] = one["rows"]
    return Selection(
        id=record["id"], title=record["title"], columns=columns, rows=rows, notes=record["notes"]
    )


def _read_column(record: Any, by_id: Mapping[str, Published], file: str, where: str) -> Selected:
    check(record, SELECTED_COLUMN, file, where)
    found = _find(record["table"], by_id, f"{file}: {where}.table")
    columns = {column.name: column for column in found.columns}
    if record["column"] not in columns:
        raise InputError(
            f"{file}: {where}.column: table {found.id} has no column {record['column']!r}"
            f"{nearest(record['column'], columns)}"
        )
    return Selected(title=record["title"], source=found, column=columns[record["column"]])


def _find(table_id: str, by_id: Mapping[str, Published], where: str) -> Published:
    if table_id not in by_id:
        raise InputError(f"{where}: no result file {table_id}.json{nearest(table_id, by_id)}")
    return by_id[table_id]


def selection_text(selection: Selection, link: str) -> str:
    """The selected cells, the notes and the provenance of each file used."""
    columns = [Column(title=selection.title, meaning="", numeric=False)]
    columns += [Column(title=one.title, meaning="") for one in selection.columns]
    rows = [
        [label, *(_selected_cell(one, names) for one in selection.columns)]
        for label, names in selection.rows.items()
    ]
    used = {one.source.id: one.source for one in selection.columns}
    shown = Table(title=selection.title, columns=columns, rows=rows)
    based = [
        wrap(basis(one, link, [c.title for c in selection.columns if c.source is one]), "- ", "  ")
        for one in used.values()
    ]
    return "\n\n".join([grid(shown), *(wrap(note) for note in selection.notes), "\n".join(based)])


def _selected_cell(one: Selected, names: Mapping[str, str]) -> str:
    name = names.get(one.source.id)
    row = next((row for row in one.source.rows if row[ROW] == name), None)
    return NOT_MEASURED if row is None else cell(one.column, row)


def basis(one: Published, link: str, titles: Sequence[str]) -> str:
    """Sentences on the columns that come from a file: data, settings, machine, date and source."""
    revision = commit(one.commit) if one.commit else ""
    measured = "; ".join(part for part in (one.date, revision, origin(one.source)) if part)
    facts = {
        "Data": data(one.settings),
        "Settings": settings(one.settings),
        "Machine": machine(one.machine),
        "Measured": measured,
    }
    columns = f"**{' / '.join(titles)}**: " if titles else ""
    named = [f"{name}: {text}." for name, text in facts.items() if text]
    return " ".join([f"{columns}[{one.title}]({link}#{one.id}).", *named])


def table_text(one: Published, link: str) -> str:
    """The whole table of a file with its reading and provenance."""
    return "\n\n".join([grid(text_table(one)), wrap(one.reading), wrap(basis(one, link, []))])


def fill_markers(text: str, blocks: Mapping[str, str], path: str | Path) -> str:
    """Put each block between its markers; InputError for a marker without its counterpart."""
    found = list(MARKER.finditer(text))
    if not found:
        raise InputError(
            f"{path}: no marker found; expected '<!-- results:{next(iter(blocks))} begin -->'"
        )
    parts, position = [], 0
    for begin, end in zip(found[::2], [*found[1::2], None], strict=False):
        name = begin[1]
        if begin[2] != "begin" or end is None or (end[1], end[2]) != (name, "end"):
            raise InputError(
                f"{path}: line {text.count(chr(10), 0, begin.start()) + 1}: expected "
                f"'<!-- results:{name} begin -->' followed by '<!-- results:{name} end -->'"
            )
        if name not in blocks:
            raise InputError(f"{path}: marker results:{name}: no such table{nearest(name, blocks)}")
        parts += [text[position : begin.end()], f"\n{blocks[name].strip()}\n"]
        position = end.start()
    return "".join([*parts, text[position:]])
