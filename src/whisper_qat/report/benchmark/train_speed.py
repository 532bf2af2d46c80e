"""Tables of the training benchmark: each kind of training, and the hours of a whole training."""

from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from whisper_qat.report.render.console import wide_console

WIDTH = 120


def show(report: dict[str, Any]) -> str:
    """Print both tables and return them as text."""
    kept = Console(file=StringIO(), width=WIDTH)
    for console in (wide_console(), kept):
        console.print(report["why"])
        console.print(_rows(report["rows"]))
        console.print(_job(report["job"]))
    assert isinstance(kept.file, StringIO)
    return kept.file.getvalue()


def _rows(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Optimizer steps", title_justify="left")
    for title in ("training", "context", "step", "× float", "clips/s", "waiting for data",
                  "peak memory", "× float", "model FLOP/s"):  # fmt: skip
        table.add_column(title, justify="left" if title in ("training", "context") else "right")
    for row in rows:
        table.add_row(
            row["quantization_type"], row["audio_context"], f"{row['step_s']:.2f} s",
            f"{row['to_float']:.2f}", f"{row['clips_per_s']:.2f}",
            f"{100 * row['waiting_share']:.1f} %", f"{row['peak_bytes'] / 2**30:.2f} GiB",
            f"{row['memory_to_float']:.2f}", f"{row['model_flops_per_s']:.3g}",
        )  # fmt: skip
    return table


def _job(job: list[dict[str, Any]]) -> Table:
    table = Table(
        title="Whole training of a model of v0.2's shape at this rate: "
        "hours = FLOPs / (model FLOP/s) / 3600",
        title_justify="left",
    )
    for title in ("training", "context", "FLOPs per clip", "FLOPs", "hours", "share of peak"):
        table.add_column(title, justify="left" if title in ("training", "context") else "right")
    for row in job:
        share = row["share_of_peak"]
        table.add_row(
            row["quantization_type"], f"{row['audio_context']} ({row['frames']} frames)",
            f"{row['flops_per_clip']:.3g}", f"{row['flops']:.3g}", f"{row['hours']:.1f}",
            "no GPU" if share is None else f"{100 * share:.0f} %",
        )  # fmt: skip
    return table
