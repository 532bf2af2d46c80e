"""Growth of time and memory with size: the law of each curve, tables, a plot and a page.

A law is fitted in two ways: as a power, the slope of log(cost) over log(size), which is exact where
no part of the cost is constant; and as fixed + per unit * size, by least squares on relative
errors, for costs with a constant part.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from whisper_qat.report.benchmark.journal import read_lines
from whisper_qat.report.benchmark.page import grid, page
from whisper_qat.report.benchmark.tables import machine
from whisper_qat.report.render.plots import GRID, STYLE, WIDTH_IN, svg
from whisper_qat.report.render.printing import megabytes, number
from whisper_qat.report.render.tables import Column, Table, markdown, table
from whisper_qat.runs.folders import read_json, write_json

TITLE = "Growth of time and memory"
COSTS = {"wall_s": "time, s", "cpu_s": "CPU time, s", "peak_rss_bytes": "peak memory, bytes"}
PANEL_IN = 2.6


def render(folder: Path) -> dict[str, Any]:
    """Write growth.json, growth.md, growth.svg and growth.html; returns the results."""
    measured = read_json(folder / "measured.json")
    points = read_lines(folder / "points.jsonl")
    results = measured | {"curves": curves(points)}
    write_json(folder / "growth.json", results)
    found = [points_table(results), laws_table(results)]
    lines = [machine(results), *results["notes"]]
    text = [f"# {TITLE}", *lines, *(markdown(one) for one in found)]
    (folder / "growth.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    plot = draw(results["curves"])
    (folder / "growth.svg").write_text(plot, encoding="utf-8")
    (folder / "growth.html").write_text(page(TITLE, lines, found, [plot]), encoding="utf-8")
    return results


def text(results: Mapping[str, Any]) -> str:
    """Both tables as text for the terminal."""
    return "\n".join(
        [machine(results), "", *map(grid, (points_table(results), laws_table(results)))]
    )


def curves(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of each axis and row, sorted by size, with the laws fitted to them."""
    found = []
    for key in dict.fromkeys((point["axis"], point["row"]) for point in points):
        mine = sorted(
            (dict(p) for p in points if (p["axis"], p["row"]) == key), key=lambda p: p["size"]
        )
        laws = {cost: law([p["size"] for p in mine], [p[cost] for p in mine]) for cost in COSTS}
        found.append({"axis": key[0], "row": key[1], "unit": mine[0]["unit"],
                      "points": mine, "laws": laws})  # fmt: skip
    return found


def law(sizes: Sequence[float], costs: Sequence[float]) -> dict[str, float] | None:
    """Power with its R^2, and fixed + per_unit * size; None for fewer than three sizes."""
    if len(set(sizes)) < 3:
        return None
    x, y = np.log(sizes), np.log(costs)
    power, offset = np.polyfit(x, y, 1)
    spread = float(np.sum((y - y.mean()) ** 2))
    rest = float(np.sum((y - power * x - offset) ** 2))
    # Weights 1 / cost: every size counts equally, not only the largest.
    per_unit, fixed = np.polyfit(sizes, costs, 1, w=1 / np.asarray(costs))
    return {
        "power": float(power),
        "r2": 1 - rest / spread if spread else 1.0,
        "fixed": float(fixed),
        "per_unit": float(per_unit),
    }


def points_table(results: Mapping[str, Any]) -> Table:
    """Every measured point."""
    columns = [
        Column(title="Axis", meaning="the quantity that is varied", numeric=False),
        Column(title="System", meaning="model and audio context", numeric=False),
        Column(title="Size", meaning="value of that quantity"),
        Column(title="Unit", meaning="", numeric=False),
        Column(title="Time, s", meaning="median wall time"),
        Column(title="CPU, s", meaning="median CPU time over all threads"),
        Column(title="Peak MB", meaning="peak memory of a process with this task only"),
    ]
    rows = [
        [curve["axis"], curve["row"], f"{p['size']:,g}", curve["unit"], number(p["wall_s"], 3),
         number(p["cpu_s"], 3), megabytes(p["peak_rss_bytes"])]
        for curve in results["curves"]
        for p in curve["points"]
    ]  # fmt: skip
    return table("Measurements", columns, rows)


def laws_table(results: Mapping[str, Any]) -> Table:
    """The growth laws of time, CPU time and memory on each axis."""
    columns = [
        Column(title="Axis", meaning="the quantity that is varied", numeric=False),
        Column(title="System", meaning="model and audio context", numeric=False),
        Column(title="Cost", meaning="", numeric=False),
        Column(
            title="Power",
            meaning="slope of the logarithm of the cost over that of the size; 1 "
            "means proportional growth",
        ),
        Column(title="R²", meaning="coefficient of determination of that fit"),
        Column(title="Fixed", meaning="constant part in the fit of fixed + per unit × size"),
        Column(title="Per unit", meaning="cost of one more unit in that fit"),
    ]
    rows = [
        [curve["axis"], curve["row"], COSTS[cost], number(found["power"]), number(found["r2"], 3),
         f"{found['fixed']:.3g}", f"{found['per_unit']:.3g} per {curve['unit']}"]
        for curve in results["curves"]
        for cost, found in curve["laws"].items()
        if found
    ]  # fmt: skip
    return table("Growth laws", columns, rows, "A law needs at least three sizes.")


def draw(found: Sequence[Mapping[str, Any]]) -> str:
    """A row of panels for each axis: time on the left, memory on the right, both logarithmic."""
    axes_names = list(dict.fromkeys(curve["axis"] for curve in found))
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "growth"}):
        figure = Figure(
            figsize=(WIDTH_IN, PANEL_IN * max(1, len(axes_names))), layout="constrained"
        )
        for line, name in enumerate(axes_names):
            for column, (cost, label) in enumerate((("wall_s", "s"), ("peak_rss_bytes", "MB"))):
                axes = figure.add_subplot(len(axes_names), 2, 2 * line + column + 1)
                scale = 1e6 if label == "MB" else 1.0
                for curve in (one for one in found if one["axis"] == name):
                    sizes = [point["size"] for point in curve["points"]]
                    costs = [point[cost] / scale for point in curve["points"]]
                    axes.loglog(sizes, costs, "o-", ms=4, label=curve["row"])
                    axes.set_xlabel(f"{name}, {curve['unit']}")
                axes.set_ylabel(label)
                axes.grid(color=GRID, lw=0.8)
                axes.legend(fontsize=7, frameon=False)
        return svg(figure)
