"""Columns and values of a published result file, in the units that the form asks for."""

from collections.abc import Mapping
from typing import Any

from whisper_qat.report.published.reading import HIGH, LOW

DIGITS = 6  # kept of a fraction or ratio; intervals are drawn with less certainty than that
Extracted = dict[str, Any]


def rounded(number: float) -> float:
    """A number with as many decimals as a result file keeps."""
    return round(number, DIGITS)


def column(
    name: str, title: str, unit: str, decimals: int | None = None, meaning: str | None = None
) -> Extracted:
    """A column as the file has it."""
    return {"name": name, "title": title, "unit": unit, "decimals": decimals, "meaning": meaning}


def value(name: str, found: Mapping[str, Any] | None, key: str = "rate") -> Extracted:
    """A value with its interval, under a column's name; null where there is none."""
    if found is None:
        return {name: None}
    ends = {} if found.get("low") is None else {LOW: found["low"], HIGH: found["high"]}
    return {name + end: rounded(v) for end, v in ({"": found[key]} | ends).items()}


def megabytes(num_bytes: int | None) -> float | None:
    """10^6 bytes."""
    return None if num_bytes is None else num_bytes / 1e6


def machine(
    environment: Mapping[str, Any], threads: int | None, load: str | None = None
) -> Extracted:
    """The CPU by name, instruction set, cores and threads."""
    cpu = environment.get("cpu") or {}
    return {
        "cpu": cpu.get("name"), "isa": cpu.get("isa") or [], "cores": environment.get("cores"),
        "threads": threads, "load": load,
    }  # fmt: skip
