"""What `recommend` prints: this CPU, its kernels, and the plans by speed."""

from typing import Any

from rich.table import Table

from whisper_qat.report.render.console import wide_console
from whisper_qat.report.render.printing import plural

FLOAT_PLAN = "float32"


def show(report: dict[str, Any]) -> None:
    """Print the CPU, the plans from fast to slow, and what follows from them."""
    console = wide_console()
    for line in machine_lines(report["machine"]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(plans_table(report))
    for line in advice(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def machine_lines(machine: dict[str, Any]) -> list[str]:
    """Name, kind, cores and what eight-bit products do here."""
    isa = ", ".join(machine["isa"]) or "no instruction set that matters here"
    used = f", {machine['threads']} used" if "threads" in machine else ""
    cores = plural(machine["cores"], "core")
    lines = [f"CPU: {machine['name']}, {machine['kind']} ({isa}); {cores}{used}"]
    if machine["saturates"]:
        lines.append(
            "8-bit products of int8-row and int8-dynamic overflow 16 bits on this CPU, so they run "
            "in a slower kernel that is exact; int7-row and two-level schemes run in the fast one."
        )
    else:
        lines.append("All schemes run in exact kernels; none needs the slower one.")
    return lines


def plans_table(report: dict[str, Any]) -> Table:
    """Plans from fast to slow on the first clip, with the times relative to float32."""
    clips = list(report["clips"])
    table = Table(title=f"Products of {report['model']}, per clip")
    table.add_column("plan", no_wrap=True)
    table.add_column("weights, MB", justify="right")
    table.add_column("% of float32", justify="right")
    for clip in clips:
        table.add_column(f"{clip}: ms", justify="right")
        table.add_column("times float32", justify="right")
    for group in ("encoder", "decoder", "table and head"):
        table.add_column(group, no_wrap=True)
    reference = next(p for p in report["plans"] if p["name"] == FLOAT_PLAN)
    for found in sorted(report["plans"], key=lambda p: p["milliseconds"][clips[0]]):
        cells = [found["name"], f"{found['bytes'] / 1e6:.1f}",
                 f"{100 * found['bytes'] / report['fp32_bytes']:.1f}"]  # fmt: skip
        for clip in clips:
            time = found["milliseconds"][clip]
            cells += [f"{time:.1f}", f"{reference['milliseconds'][clip] / time:.2f}"]
        table.add_row(*cells, *found["schemes"].values())
    return table


def advice(report: dict[str, Any]) -> list[str]:
    """Which plan is fastest, which is smallest, and which no other beats in both."""
    plans = [p for p in report["plans"] if p["name"] != FLOAT_PLAN]
    lines = []
    for clip in report["clips"]:
        fastest = min(plans, key=lambda p: p["milliseconds"][clip])
        lines.append(f"Fastest on a clip of {clip}: {fastest['name']}.")
    smallest = min(plans, key=lambda p: p["bytes"])
    lines.append(f"Smallest: {smallest['name']}.")
    first = next(iter(report["clips"]))
    kept = [p["name"] for p in plans if not any(_beats(other, p, first) for other in plans)]
    lines.append(f"No other plan is both smaller and faster (first clip) than: {', '.join(kept)}.")
    lines.append(
        "Times are those of matrix products alone; attention and norms are the same in every plan. "
        "What a plan costs in accuracy is not measured here: see docs/results.md, and measure your "
        "own model with evaluate."
    )
    return lines


def _beats(a: dict[str, Any], b: dict[str, Any], clip: str) -> bool:
    times = a["milliseconds"][clip], b["milliseconds"][clip]
    at_least = a["bytes"] <= b["bytes"] and times[0] <= times[1]
    return at_least and (a["bytes"] < b["bytes"] or times[0] < times[1])
