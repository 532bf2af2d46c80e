"""Plot of WER against RTFx with a panel for each set; the area of a point is the model size."""

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from whisper_qat.report.render.plots import GRID, STYLE, WIDTH_IN, svg

OURS, PEER = "#d55e00", "#0072b2"
PANEL_IN = 3.6
AREA_PER_MB = 2.0  # square points


def wer_against_speed(results: Mapping[str, Any]) -> str | None:
    """The plot as SVG; None when no set has a WER."""
    sets = [one["name"] for one in results["sets"]]
    panels = [(name, found) for name in sets if (found := scores_with_wer(results, name))]
    if not panels:
        return None
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "benchmark"}):
        figure = Figure(figsize=(WIDTH_IN, PANEL_IN * len(panels)), layout="constrained")
        for place, (name, found) in enumerate(panels, start=1):
            draw(figure.add_subplot(len(panels), 1, place), name, found, results)
        return svg(figure)


def scores_with_wer(results: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The scores of a set that have a WER."""
    return [s for s in results["scores"] if s["set"] == name and s["wer"]]


def draw(axes: Axes, name: str, scores: list[dict[str, Any]], results: Mapping[str, Any]) -> None:
    """Draw one panel; RTFx is logarithmic, because systems differ by factors."""
    rows = {row["name"]: row for row in results["rows"]}
    for score in scores:
        row = rows[score["row"]]
        color = OURS if row["side"] == "ours" else PEER
        point = (score["rtfx"], 100 * score["wer"]["rate"])
        area = AREA_PER_MB * row["model_bytes"] / 1e6
        axes.scatter(*point, s=area, color=color, alpha=0.35)
        axes.plot(*point, ".", color=color)
        axes.annotate(score["row"], point, xytext=(5, 3), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("RTFx, seconds of audio transcribed per second")
    axes.set_ylabel("WER, %")
    axes.set_title(f"{name} (area of a point: size of the model)", fontsize=10)
    axes.grid(color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.margins(0.2)
