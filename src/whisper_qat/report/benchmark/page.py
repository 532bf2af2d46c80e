"""The report of a benchmark for the terminal, in Markdown and in HTML, with its plot."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from whisper_qat.report.benchmark.plot import wer_against_speed
from whisper_qat.report.benchmark.results import summarize
from whisper_qat.report.benchmark.tables import machine, tables
from whisper_qat.report.render.tables import Table, markdown

TEMPLATE = "benchmark.html.j2"
TITLE = "Benchmark"
INTRODUCTION = (
    "All systems transcribe the same clips in turn, round by round, so that a change in the load "
    "of the machine affects all of them alike. Ratios between systems carry over to other machines "
    "better than seconds do."
)


def render(folder: Path) -> dict[str, Any]:
    """Write results.json, report.md, plot.svg and report.html; returns the results."""
    results = summarize(folder)
    found = tables(results)
    lines = [INTRODUCTION, *notes(results)]
    parts = [f"# {TITLE}", *lines, *(markdown(table) for table in found)]
    (folder / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    plot = wer_against_speed(results)
    if plot is not None:
        (folder / "plot.svg").write_text(plot, encoding="utf-8")
    (folder / "report.html").write_text(page(TITLE, lines, found, [plot]), "utf-8")
    return results


def page(title: str, lines: list[str], found: list[Table], plots: list[str | None]) -> str:
    """An HTML page of notes, plots and tables; everything except our own SVG is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("whisper_qat.report.benchmark").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        title=title, lines=lines, tables=found, plots=[Markup(svg) for svg in plots if svg]
    )


def notes(results: Mapping[str, Any]) -> list[str]:
    """The machine and the remarks that a reader needs before the numbers."""
    return [machine(results), *results["notes"]]


def text(results: Mapping[str, Any]) -> str:
    """The notes and tables as text for the terminal, without the table of policies."""
    return "\n".join([*notes(results), "", *(grid(one) for one in tables(results)[:-1])])


def grid(table: Table) -> str:
    """A table as text, aligned by padding."""
    cells = [[column.title for column in table.columns], *table.rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(table.columns))]
    lines = [table.title, table.note] if table.note else [table.title]
    for row in cells:
        padded = [
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines) + "\n"
