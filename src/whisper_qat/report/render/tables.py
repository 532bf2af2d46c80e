"""A printed table as data, with explained columns and cells as text, and its form in Markdown.

The page and the Markdown file render the same Table, so they cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.render.printing import percent_interval


@dataclass(frozen=True, kw_only=True)
class Column:
    """A heading with its unit, and a line that explains the values below it."""

    title: str
    meaning: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells, one cell for each column; ``note`` is the caption."""

    title: str
    columns: list[Column]
    rows: list[list[str]]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.columns), f"{self.title}: {row}"


def table(title: str, columns: Sequence[Column], rows: list[list[str]], note: str = "") -> Table:
    """A Table without the columns whose cells are all empty."""
    used = [i for i in range(len(columns)) if i == 0 or any(row[i] for row in rows)]
    return Table(
        title=title,
        columns=[columns[i] for i in used],
        rows=[[row[i] for i in used] for row in rows],
        note=note,
    )


def markdown(table: Table) -> str:
    """The table with its title, caption and the meaning of each column, as Markdown."""
    meanings = [f"- **{c.title}**: {c.meaning}" for c in table.columns if c.meaning]
    parts = [f"## {table.title}", grid(table), table.note, "\n".join(meanings)]
    return "\n\n".join(part for part in parts if part) + "\n"


def grid(table: Table) -> str:
    """Only the headings and cells, as a Markdown table."""
    heads = [column.title for column in table.columns]
    rules = ["---:" if column.numeric else ":---" for column in table.columns]
    return "\n".join([_line(heads), _line(rules), *(_line(row) for row in table.rows)])


def _line(cells: list[str]) -> str:
    plain = [" ".join(cell.split()).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(plain)} |"


Results = Mapping[str, Any]


def find_score(
    results: Results, row: str, corpus: str = ALL, normalizer: str | None = None
) -> dict[str, Any] | None:
    """The score of a row, under the primary normaliser unless another is named."""
    name = normalizer or results["primary_normalizer"]
    for score in results["scores"]:
        if (score["row"], score["corpus"], score["normalizer"]) == (row, corpus, name):
            return dict(score)
    return None


def find_speed(results: Results, row: str, corpus: str = ALL) -> dict[str, Any] | None:
    """The speed of a row; None where it was not timed."""
    for speed in results["speed"]:
        if (speed["row"], speed["corpus"]) == (row, corpus):
            return dict(speed)
    return None


def rate_cell(score: dict[str, Any] | None, key: str) -> str:
    """A rate with interval, '12.34 [11.20, 13.50]'; empty where it was not measured."""
    found = score and score[key]
    return percent_interval(found["rate"], found["low"], found["high"]) if found else ""
