"""A summary of the results in plain text for the terminal: one table and the conclusions."""

import textwrap

from whisper_qat.report.evaluation.row_tables import BASELINE_DELTA, headline_table
from whisper_qat.report.render.tables import Results, Table

WIDTH = 100
COLUMNS = ("System", "WER, %", BASELINE_DELTA, "Size, MB", "RTFx", "Weights")
SHORT_TITLES = {BASELINE_DELTA: "Δ vs. baseline"}


def text(results: Results) -> str:
    """The headline table, unmeasured corpora, failed gates and claims, at most WIDTH wide."""
    full = headline_table(results)
    lost = [c for c in results["corpora"] if c["status"] != "measured"]
    lines = [*textwrap.wrap(full.note, WIDTH), "", *_grid(full), ""]
    lines += [f"Corpus {c['name']} was not measured: {c.get('reason')}" for c in lost]
    lines += [f"FAILED: {gate['text']}" for gate in results["gates"] if not gate["passed"]]
    for claim in results["claims"]:
        lines += textwrap.wrap(
            claim["text"], WIDTH, initial_indent="* ", subsequent_indent="  ",
            break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def _grid(table: Table) -> list[str]:
    """The columns COLUMNS of a table, aligned by padding."""
    chosen = [i for i, column in enumerate(table.columns) if column.title in COLUMNS]
    heads = [SHORT_TITLES.get(table.columns[i].title, table.columns[i].title) for i in chosen]
    cells = [heads] + [[row[i] for i in chosen] for row in table.rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(chosen))]
    right = [table.columns[i].numeric for i in chosen]
    return [
        "  ".join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
