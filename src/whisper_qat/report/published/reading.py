"""Read and check published result files, one JSON file for each table of ``docs/results.md``.

``docs/results/README.md`` describes their form. Values are unformatted numbers in the unit of their
column (a WER of 27.83 % is 0.2783). Anything ambiguous is refused with an error that names the
file, the key and a valid value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.report.published.form import (
    COLUMN,
    DECIMAL_UNITS,
    MACHINE,
    PERCENTAGE,
    SECTIONS,
    SETTINGS,
    SOURCES,
    TABLE,
    TEST_SET,
    TEXT_UNIT,
    UNIT_MARKS,
    UNITS,
    check,
)
from whisper_qat.runs.folders import read_json

NOT_TABLES = {"readme.json"}
ROW = "row"
LOW, HIGH = "_low", "_high"


@dataclass(frozen=True, kw_only=True)
class PublishedColumn:
    """A column; ``unit`` is the kind of its values, ``decimals`` the number of printed decimals."""

    name: str
    title: str
    unit: str
    decimals: int | None
    meaning: str | None


@dataclass(frozen=True, kw_only=True)
class Published:
    """One table with the provenance of its numbers; the fields are the keys of the file."""

    id: str
    section: str
    order: int
    title: str
    question: str
    reading: str
    date: str
    commit: str | None
    command: str | None
    source: dict[str, Any]
    machine: dict[str, Any]
    settings: dict[str, Any]
    columns: list[PublishedColumn]
    rows: list[dict[str, Any]]
    notes: list[str]


def read_all(folder: str | Path) -> list[Published]:
    """All tables of a folder, sorted by section and order; InputError if there is none."""
    paths = [p for p in sorted(Path(folder).glob("*.json")) if p.name not in NOT_TABLES]
    if not paths:
        raise InputError(f"{folder}: no result file (*.json) in this folder")
    sections = list(SECTIONS)
    found = [read_table(path) for path in paths]
    return sorted(found, key=lambda one: (sections.index(one.section), one.order, one.id))


def read_table(path: str | Path) -> Published:
    """Read one result file; InputError names the file, the key and a valid value."""
    return table_of(read_json(path), Path(path))


def table_of(record: Any, path: Path) -> Published:
    """Check the content of ``path`` and return it as a table; the file need not exist yet."""
    check(record, TABLE, str(path))
    if record["id"] != path.stem:
        raise InputError(f"{path}: id: expected {path.stem!r}, as the file, got {record['id']!r}")
    check_source(record["source"], path)
    check(record["machine"], MACHINE, str(path), "machine")
    check(record["settings"], SETTINGS, str(path), "settings")
    for number, one in enumerate(record["settings"]["test_sets"]):
        check(one, TEST_SET, str(path), f"settings.test_sets[{number}]")
    columns = read_columns(record["columns"], path)
    check_rows(record["rows"], columns, path)
    kept = {field.name: record[field.name] for field in fields(Published)}
    return Published(**kept | {"columns": columns})


def check_source(source: Mapping[str, Any], path: Path) -> None:
    """InputError unless the source is of a known kind and complete."""
    kind = str(source.get("kind"))
    if kind not in SOURCES:
        raise InputError(f"{path}: source.kind: expected {' or '.join(SOURCES)}, got {kind!r}")
    check(source, SOURCES[kind], str(path), "source")


def read_columns(records: list[Any], path: Path) -> list[PublishedColumn]:
    """Read and check the columns; the first one holds the names of the rows."""
    columns = []
    for number, record in enumerate(records):
        where = f"columns[{number}]"
        check(record, COLUMN, str(path), where)
        columns.append(PublishedColumn(**record))
        check_title(columns[-1], f"{path}: {where}")
    names = [column.name for column in columns]
    if not names or (names[0], columns[0].unit) != (ROW, TEXT_UNIT):
        raise InputError(f"{path}: columns[0]: expected name 'row' with unit 'text'")
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"{path}: columns[{number}].name: {name!r} occurs twice")
        if name.endswith((LOW, HIGH)):
            raise InputError(
                f"{path}: columns[{number}].name: {name!r} is reserved for the end of an "
                f"interval; rows give NAME{LOW} and NAME{HIGH} in addition to NAME"
            )
    return columns


def check_title(column: PublishedColumn, where: str) -> None:
    """InputError unless the title contains the unit and numbers have a number of decimals."""
    mark = UNIT_MARKS.get(column.unit)
    if mark and mark not in column.title:
        raise InputError(
            f"{where}.title: expected {mark!r} in the title, because the unit is {column.unit!r}, "
            f"got {column.title!r}"
        )
    if column.unit in DECIMAL_UNITS and column.decimals is None:
        raise InputError(
            f"{where}.decimals: expected a whole number, because the unit is "
            f"{column.unit!r}, got None"
        )


def check_rows(rows: list[Any], columns: list[PublishedColumn], path: Path) -> None:
    """InputError unless every row has a value or null for each column, and no other keys."""
    if not rows:
        raise InputError(f"{path}: rows: expected at least one row")
    form = {column.name: UNITS[column.unit] for column in columns}
    ends = {
        column.name + end: form[column.name]
        for column in columns
        if column.unit != TEXT_UNIT
        for end in (LOW, HIGH)
    }
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = f"rows[{number}]"
        check(row, form, str(path), where, optional=ends)
        for column in columns:
            check_interval(row, column, f"{path}: {where}")
        name = row[ROW]
        if not name or name in seen:
            raise InputError(f"{path}: {where}.row: expected a unique name, got {name!r}")
        seen.add(name)


def check_interval(row: Mapping[str, Any], column: PublishedColumn, where: str) -> None:
    """InputError unless an interval has both ends around its value and fractions are fractions."""
    value, low, high = interval(row, column.name)
    if (low is None) != (high is None):
        raise InputError(
            f"{where}.{column.name}: expected both {column.name}{LOW} and {column.name}{HIGH}, "
            "or neither"
        )
    if low is not None and not (value is not None and low <= value <= high):
        raise InputError(f"{where}.{column.name}: expected low <= value <= high, got "
                         f"{low!r}, {value!r}, {high!r}")  # fmt: skip
    if column.unit in UNIT_MARKS and any(abs(v) >= PERCENTAGE for v in (value, low, high) if v):
        raise InputError(
            f"{where}.{column.name}: expected a fraction (0.2783 for 27.83 %), got {value!r}"
        )


def interval(row: Mapping[str, Any], name: str) -> tuple[Any, Any, Any]:
    """The value of a column and the ends of its interval; None where there is none."""
    return row[name], row.get(name + LOW), row.get(name + HIGH)


def json_text(record: Mapping[str, Any]) -> str:
    """A result file as text with one line for each column and row, so that diffs are readable."""
    lines = []
    for key, value in record.items():
        if isinstance(value, list) and value:
            inner = ",\n    ".join(_one_line(item) for item in value)
            lines.append(f"  {_one_line(key)}: [\n    {inner}\n  ]")
        elif isinstance(value, dict):
            inner = ",\n    ".join(f"{_one_line(k)}: {_one_line(v)}" for k, v in value.items())
            lines.append(f"  {_one_line(key)}: {{\n    {inner}\n  }}")
        else:
            lines.append(f"  {_one_line(key)}: {_one_line(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _one_line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
