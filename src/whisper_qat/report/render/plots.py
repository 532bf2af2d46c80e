"""Two plots as inline SVG: WER with its interval for each row, and WER against model size.

They are drawn with Figure rather than pyplot, which needs no global state and no display. Text
stays text, so that the page is searchable. Metadata is dropped, because it holds addresses outside
the page. Systems outside the comparison are left out, and one long interval does not set the axis.
"""

import io
import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from whisper_qat.report.evaluation.rows import BASE_FLOAT, BASE_PTQ, CONTROL, CONTROL_PTQ, QAT
from whisper_qat.report.evaluation.shown_rows import outside_rows, shown_rows
from whisper_qat.report.render.printing import listing, percent
from whisper_qat.report.render.tables import Results, find_score

# Okabe and Ito's palette, distinguishable with any colour vision. Light: quantized after training.
COLORS = {
    BASE_FLOAT: "#404040",
    BASE_PTQ: "#8c8c8c",
    CONTROL: "#0072b2",
    CONTROL_PTQ: "#56b4e9",
    QAT: "#d55e00",
}
INK, GRID = "#1d1d1f", "#dcdce0"
STYLE = {
    "svg.fonttype": "none",
    "font.size": 11.0,
    "axes.edgecolor": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
WIDTH_IN = 7.6
HEIGHT_IN = 4.2
LABEL_IN = 0.25  # height of a label with the space above it
REACH = 1.5  # longest axis of WER, as a multiple of the highest rate or of a usual interval's end

Scored = list[tuple[dict[str, Any], dict[str, float]]]


def wer_plot(results: Results) -> str | None:
    """WER and its 95 % interval, a row below the other; a dashed line marks the baseline."""
    scored = _scored(results)
    if not scored:
        return None
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "wer"}):
        figure = Figure(figsize=(WIDTH_IN, 0.9 + 0.42 * len(scored)), layout="constrained")
        axes = figure.add_subplot()
        end = axis_end([wer for _, wer in scored])
        for place, (row, wer) in enumerate(scored):
            _interval(axes, wer, place, COLORS[row["role"]], end)
        if end is not None:
            axes.set_xlim(right=100 * end)
        baseline = [wer["rate"] for row, wer in scored if row["name"] == results["baseline"]]
        for rate in baseline:
            axes.axvline(100 * rate, color=COLORS[BASE_FLOAT], lw=1, ls=(0, (4, 3)), zorder=1)
        axes.set_yticks(range(len(scored)), [row["name"] for row, _ in scored])
        axes.set_ylim(len(scored) - 0.5, -0.5)
        axes.set_xlabel(f"WER, % (normaliser {results['primary_normalizer']}), with 95 % interval")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        return svg(figure)


def size_plot(results: Results) -> str | None:
    """One point for each row, size in MB against WER; None where no size is known."""
    scored = [(row, wer) for row, wer in _scored(results) if row.get("model_bytes")]
    if not scored:
        return None
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": "size"}):
        height = max(HEIGHT_IN, LABEL_IN * len(scored))  # many labels need more room
        figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        axes = figure.add_subplot()
        for row, wer in scored:
            color = COLORS[row["role"]]
            axes.plot(row["model_bytes"] / 1e6, 100 * wer["rate"], "o", ms=8, color=color)
        axes.set_xlabel("Size of all model files, MB")
        axes.set_ylabel(f"WER, % (normaliser {results['primary_normalizer']})")
        axes.grid(color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        axes.set_xlim(0, 1.3 * max(row["model_bytes"] for row, _ in scored) / 1e6)
        axes.margins(y=0.15)
        _label(axes, scored, height)
        return svg(figure)


def _scored(results: Results) -> Scored:
    """The rows inside the comparison that have a pooled WER, with it."""
    scores = [(row, find_score(results, row["name"])) for row in shown_rows(results)]
    return [(row, score["wer"]) for row, score in scores if score and score["wer"]]


def axis_end(wers: Sequence[Mapping[str, float]]) -> float | None:
    """Where the axis of WER ends if an interval reaches far beyond the others; None if none does.

    No point is cut off, and neither are intervals that are all equally long.
    """
    highs = [wer["high"] for wer in wers]
    end = REACH * max(median(highs), *(wer["rate"] for wer in wers))
    return end if end < max(highs) else None


def wer_note(results: Results) -> str:
    """What the reader of the WER plot must know: its dashed line, cut intervals, absent rows."""
    scored = _scored(results)
    end = axis_end([wer for _, wer in scored]) if scored else None
    cut = [
        f"{row['name']} (to {percent(wer['high'])}\u00a0%)"
        for row, wer in scored
        if end is not None and wer["high"] > end
    ]
    drawn = any(row["name"] == results["baseline"] for row, _ in scored)
    notes = [
        "The dashed line marks the baseline." if drawn else "",
        f"An arrow marks an interval that goes on beyond the axis: {listing(cut)}." if cut else "",
        left_out_note(results),
    ]
    return " ".join(note for note in notes if note)


def left_out_note(results: Results) -> str:
    """The rows that the plots leave out, in a sentence; empty if there are none."""
    names = [row["name"] for row in outside_rows(results)]
    return f"Not drawn, because outside the comparison: {listing(names)}." if names else ""


def _interval(
    axes: Axes, wer: Mapping[str, float], place: int, color: str, end: float | None
) -> None:
    """A point with its interval, which an arrow cuts off at the end of the axis."""
    high = wer["high"] if end is None else min(wer["high"], end)
    axes.plot([100 * wer["low"], 100 * high], [place, place], color=color, lw=2.5, alpha=0.55)
    if high < wer["high"]:
        axes.plot([100 * high], [place], ">", ms=7, color=color, clip_on=False)
    axes.plot([100 * wer["rate"]], [place], "o", ms=8, color=color)
    axes.annotate(
        f"{100 * wer['rate']:.2f}",
        (100 * wer["rate"], place),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


def _label(axes: Axes, scored: Scored, height: float) -> None:
    """Write names right of the points, moved apart where points lie close together."""
    low, high = axes.get_ylim()
    placed: list[tuple[float, float]] = []
    for row, wer in sorted(scored, key=lambda one: one[1]["rate"]):
        x, y = row["model_bytes"] / 1e6, 100 * wer["rate"]
        near = [b for a, b in placed if abs(a - x) < 0.25 * axes.get_xlim()[1]]
        text_y = spread(y, near, gap=(high - low) * LABEL_IN / height)
        placed.append((x, text_y))
        axes.annotate(
            row["name"],
            (x, y),
            xytext=(x + axes.get_xlim()[1] * 0.03, text_y),
            va="center",
            fontsize=10,
            color=COLORS[row["role"]],
            arrowprops={"arrowstyle": "-", "color": GRID, "lw": 0.8},
        )


def spread(y: float, taken: list[float], gap: float) -> float:
    """The lowest position at or above ``y`` that is ``gap`` above the labels already placed."""
    return max([y, *(other + gap for other in taken)])


def svg(figure: Figure) -> str:
    """The figure as an <svg> element."""
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :]
