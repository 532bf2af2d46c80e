"""Printed tables of an inspection: bytes by kind, layers, duplicates and operators.

The input is the plain values that `--json` writes; files and runtimes are not known here.
"""

from typing import Any

from rich.table import Table

from whisper_qat.report.recommendation import machine_lines
from whisper_qat.report.render.console import wide_console
from whisper_qat.report.render.printing import plural

PARTS = ("codes", "factors", "scales", "bias", "weight")
BITS = {"float32": "32", "float16": "16", "int8": "8", "uint8": "8"}
SHORT = {"float32": "f32", "float16": "f16"}
LISTED = 10  # names of nodes and duplicates that are printed; the JSON has all of them


def show(report: dict[str, Any]) -> None:
    """Print all tables and the summary to standard output."""
    console = wide_console()
    for line in machine_lines(report["machine"]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for table in (kinds(report), layers(report), runs(report)):
        console.print(table)
    for line in summary(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def summary(report: dict[str, Any]) -> list[str]:
    """The lines below the tables; the verdict and all faults come last."""
    share = f"{100 * report['share_of_fp32']:.2f} % of float32 ({report['fp32_bytes']:,} bytes)"
    lines = [f"{report['folder']}: {report['total_bytes']:,} bytes, {share}"]
    wasted = sum(group["wasted_bytes"] for group in report["duplicates"])
    lines.append(f"stored more than once: {wasted:,} bytes")
    for group in report["duplicates"][:LISTED]:
        lines.append(f"  {group['wasted_bytes']:,} bytes: {shorten(group['names'])}")
    for name, graph in report["graphs"].items():
        left = [
            f"{len(nodes)} {op} ({shorten(nodes)})" for op, nodes in casts_and_transposes(graph)
        ]
        lines.append(
            f"{name} after optimization still has {', '.join(left) or 'no cast or transpose'}"
        )
    found = plural(len(report["faults"]), "fault") if report["faults"] else "all kernels as planned"
    unchecked = report["check"].startswith("no plan")
    lines.append(report["check"] if unchecked else f"{report['check']}: {found}")
    return lines + [f"  {fault}" for fault in report["faults"]]


def casts_and_transposes(graph: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The operators that only move or convert data, with the names of their nodes."""
    return [(op, nodes) for op, nodes in graph["moves"].items() if nodes]


def shorten(names: list[str]) -> str:
    """The first LISTED names and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def kinds(report: dict[str, Any]) -> Table:
    """The bytes of the model files by kind of content."""
    table = Table("content", title="Bytes by kind of content")
    for column in ("bytes", "%"):
        table.add_column(column, justify="right")
    for kind, size in report["kinds"].items():
        table.add_row(kind, f"{size:,}", f"{100 * size / report['total_bytes']:.2f}")
    return table


def layers(report: dict[str, Any]) -> Table:
    """Scheme, stored bits, bytes and kernels of each layer."""
    table = Table(title="Layers", expand=False)
    for column in ("layer", "scheme", "bits"):
        table.add_column(column, no_wrap=True)
    for column in PARTS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("kernels")
    for layer in report["layers"]:
        parts = [part_cell(layer["parts"].get(part), part) for part in PARTS]
        bits = stored_bits(layer)
        table.add_row(layer["name"], layer["scheme"], bits, *parts, ", ".join(layer["kernels"]))
    return table


def part_cell(part: dict[str, Any] | None, kind: str) -> str:
    """Bytes, with the dtype for those parts whose dtype varies."""
    if part is None:
        return ""
    dtype = SHORT.get(part["dtype"], part["dtype"])
    return f"{part['bytes']:,}" + (f" {dtype}" if kind in ("scales", "weight") else "")


def stored_bits(layer: dict[str, Any]) -> str:
    """Bits of a code and, in parentheses, per weight with scales and factors: `4 (4.50)`."""
    parts = layer["parts"]
    if layer["bits"] is None or not {"codes", "scales"} <= parts.keys():
        return BITS.get(parts.get("weight", {}).get("dtype"), "")
    codes = parts["codes"]["bytes"]
    stored = sum(parts[name]["bytes"] for name in ("codes", "factors", "scales") if name in parts)
    return f"{layer['bits']} ({layer['bits'] * stored / codes:.2f})"


def runs(report: dict[str, Any]) -> Table:
    """How often each operator occurs in the optimized graphs, with a column per graph."""
    graphs = report["graphs"]
    table = Table("operator", title="Operators of the optimized graphs")
    for name in graphs:
        table.add_column(name, justify="right")
    counts = [graph["ops"] for graph in graphs.values()]
    for op in sorted({op for ops in counts for op in ops}):
        table.add_row(op, *(str(ops.get(op, "")) for ops in counts))
    return table
