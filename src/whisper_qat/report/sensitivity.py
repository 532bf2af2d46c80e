"""The sensitivity report: a table in Markdown and a plot, from the analysis' JSON alone."""

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from whisper_qat.report.render.plots import GRID, STYLE, WIDTH_IN
from whisper_qat.report.render.printing import megabytes, number, percent, points

BAR, LOSS = "#0072b2", "#d55e00"


def markdown(found: dict[str, Any]) -> str:
    """Rows in the order measured, with how they were measured above."""
    with_wer = "wer" in found["rows"][0]
    columns = ["Part", "Δ loss, nats", "KL, nats", "MB saved", "ms saved"]
    columns += ["WER, %", "Δ WER, points"] if with_wer else []
    lines = [
        f"One part at a time in {found['scheme']} (token table {found['table_scheme']}), the rest "
        f"in float: {found['clips']} clips, {found['tokens']} tokens. MB against float32; ms per "
        f"clip with {found['threads']} thread(s).",
        "",
        _line(columns),
        _line(["---"] * len(columns)),
        *[_line(_cells(row, with_wer)) for row in found["rows"]],
    ]
    if "proposal" in found:
        lines += ["", _proposal(found["proposal"])]
    return "\n".join(lines) + "\n"


def svg(found: dict[str, Any]) -> str:
    """Bars of KL and of delta loss, the most sensitive part on top."""
    rows = [row for row in found["rows"] if row["part"] != "float"]
    rows.sort(key=lambda row: -row["kl"])
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "sensitivity"}):
        figure = Figure(figsize=(WIDTH_IN, 1.2 + 0.34 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        places = range(len(rows))
        axes.barh([p - 0.2 for p in places], [r["kl"] for r in rows], 0.36, color=BAR, label="KL")
        axes.barh(
            [p + 0.2 for p in places], [r["delta_loss"] for r in rows], 0.36, color=LOSS,
            label="Δ loss",
        )  # fmt: skip
        axes.set_yticks(list(places), [row["part"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel(f"nats per token, this part alone in {found['scheme']}")
        axes.grid(axis="x", color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        axes.legend(frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+$", "", text.getvalue(), flags=re.MULTILINE)


def _cells(row: dict[str, Any], with_wer: bool) -> list[str]:
    cells = [row["part"], number(row["delta_loss"], 4), number(row["kl"], 4),
             megabytes(row["bytes_saved"]), number(row["ms_saved"], 1)]  # fmt: skip
    return [*cells, percent(row["wer"]), points(row["delta_wer"])] if with_wer else cells


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _proposal(made: dict[str, Any]) -> str:
    finer = ", ".join(made["fine"]) or "none"
    return (
        f"Proposed plan: finer are {finer}; {percent(made['share_of_fp32'], 1)} % of float32, KL "
        f"{number(made['measured_kl'], 4)} measured, {number(made['expected_kl'], 4)} expected "
        f"from the parts, Δ loss {number(made['measured_delta_loss'], 4)}."
    )
