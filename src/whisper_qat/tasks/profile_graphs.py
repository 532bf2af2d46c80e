"""Profile ONNX graphs operator by operator, side by side, such as ours and another exporter's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from whisper_qat.errors import InputError
from whisper_qat.measure.graph_profile import profile
from whisper_qat.report.render.console import wide_console
from whisper_qat.runs.environment import cpu, package_versions
from whisper_qat.runs.folders import write_json


@dataclass(frozen=True, kw_only=True)
class ProfileGraphsConfig:
    """Time ONNX graphs operator by operator, side by side, on noise of given sizes.

    Args:
        graphs: graphs to compare, each as NAME=FILE.onnx
        sizes: sizes of the inputs' symbolic dimensions, each as NAME=N (default: 1)
        values: values of integer and boolean inputs, each as NAME=N (default: 0)
        rounds: number of timed runs of each graph, in turn
        threads: threads of each operator
        json: also write the profile to this JSON file
    """

    graphs: list[str]
    sizes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    rounds: int = 10
    threads: int = 1
    json: Path | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected 1 or more")


def run(config: ProfileGraphsConfig) -> None:
    """Print the table, and write it as JSON if requested."""
    names = dict(_pair("--graphs", entry, "NAME=FILE.onnx") for entry in config.graphs)
    found = profile(
        [Path(path) for path in names.values()], numbers("--sizes", config.sizes),
        numbers("--values", config.values), rounds=config.rounds, threads=config.threads,
    )  # fmt: skip
    wide_console().print(table(list(names), found))
    if config.json is not None:
        graphs = dict(zip(names, found, strict=True))
        machine = {"cpu": cpu(), "versions": package_versions()}
        write_json(config.json, {"graphs": graphs, "environment": machine})


def numbers(flag: str, entries: Sequence[str]) -> dict[str, int]:
    """Parse entries NAME=N into {NAME: N}; InputError for any other form."""
    found = {}
    for name, text in (_pair(flag, entry, "NAME=N") for entry in entries):
        if not text.isdecimal():
            raise InputError(f"{flag} {name}={text}: expected a whole number from 0 on")
        found[name] = int(text)
    return found


def _pair(flag: str, entry: str, form: str) -> tuple[str, str]:
    name, equals, text = entry.partition("=")
    if not (name and equals and text):
        raise InputError(f"{flag} {entry!r}: expected {form}")
    return name, text


def table(names: list[str], found: list[dict[str, Any]]) -> Table:
    """Table with a row per operator, slowest first: milliseconds per run (nodes) of each graph."""
    result = Table("operator", title="Milliseconds a run (nodes)")
    for name in names:
        result.add_column(name, justify="right")
    longest: dict[str, float] = {}
    for graph in found:
        for operator, spent in graph["operators"].items():
            longest[operator] = max(spent["ms"], longest.get(operator, 0.0))
    for operator in sorted(longest, key=lambda name: -longest[name]):
        result.add_row(operator, *(_cell(graph["operators"].get(operator)) for graph in found))
    result.add_section()
    sums = [sum(spent["ms"] for spent in graph["operators"].values()) for graph in found]
    result.add_row("sum of the operators", *(f"{total:.2f}" for total in sums))
    result.add_row("CPU time of a run, median", *(f"{graph['cpu_ms']:.2f}" for graph in found))
    return result


def _cell(spent: dict[str, float] | None) -> str:
    return f"{spent['ms']:.2f} ({spent['nodes']:.0f})" if spent else ""
