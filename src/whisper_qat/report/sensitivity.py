"""The report of a sensitivity analysis: a table in Markdown and a plot, from its JSON results."""

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from whisper_qat.report.render.plots import GRID, STYLE, WIDTH_IN
from whisper_qat.report.render.printing import listing, megabytes, number, percent, plural, points

BAR, LOSS = "#0072b2", "#d55e00"


def markdown(found: dict[str, Any]) -> str:
    """A description of the measurement, then one row for each part in the order of measurement."""
    with_wer = "wer" in found["rows"][0]
    columns = ["Part", "Δ loss, nats", "KL, nats", "MB saved", "ms saved"]
    columns += ["WER, %", "Δ WER, points"] if with_wer else []
    lines = [
        f"Each row quantizes one part of the model to {found['scheme']} (the token table to "
        f"{found['table_scheme']}) and leaves the rest in float. Loss and KL are per token of the "
        f"reference text, compared with the float model, over {plural(found['clips'], 'clip')} "
        f"with {plural(found['tokens'], 'token')}. MB saved is relative to float32; ms saved is "
        f"per clip with {plural(found['threads'], 'thread')}.",
        "",
        _line(columns),
        _line(["---"] * len(columns)),
        *[_line(_cells(row, with_wer)) for row in found["rows"]],
    ]
    if "proposal" in found:
        lines += ["", _proposal(found["proposal"])]
    return "\n".join(lines) + "\n"


def svg(found: dict[str, Any]) -> str:
    """Bars of KL and of the increase in loss, with the most sensitive part on top."""
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
        axes.set_xlabel(f"nats per token, with this part alone in {found['scheme']}")
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


def _proposal(proposal: dict[str, Any]) -> str:
    finer = listing(proposal["fine"]) or "no part"
    return (
        f"Proposed plan: the finer scheme for {finer}. Its size is "
        f"{percent(proposal['share_of_fp32'], 1)} % of float32; its KL is "
        f"{number(proposal['measured_kl'], 4)} as measured and "
        f"{number(proposal['expected_kl'], 4)} as expected from the parts; its Δ loss is "
        f"{number(proposal['measured_delta_loss'], 4)}."
    )
