"""The result as a few lines of plain text for the terminal: one table and what may be claimed."""

import textwrap

from whisper_qat.report.evaluation.row_tables import headline_table
from whisper_qat.report.render.tables import Results, Table

WIDTH = 100
SHOWN = ("Row", "WER, %", "Δ WER to baseline, points", "Size, MB", "RTFx", "Weights")
SHORT = {"Δ WER to baseline, points": "Δ to baseline"}


def text(results: Results) -> str:
    """Headline table, unreachable corpora, failed gates and the claims, at most WIDTH wide."""
    full = headline_table(results)
    lost = [c for c in results["corpora"] if c["status"] != "measured"]
    lines = [full.note, "", *_grid(full), ""]
    lines += [f"not measured: {c['name']}: {c.get('reason')}" for c in lost]
    lines += [f"FAILED: {gate['text']}" for gate in results["gates"] if not gate["passed"]]
    for claim in results["claims"]:
        lines += textwrap.wrap(claim["text"], WIDTH, initial_indent="* ", subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _grid(table: Table) -> list[str]:
    """Chosen columns of a table, aligned by padding."""
    chosen = [i for i, column in enumerate(table.columns) if column.title in SHOWN]
    heads = [SHORT.get(table.columns[i].title, table.columns[i].title) for i in chosen]
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
