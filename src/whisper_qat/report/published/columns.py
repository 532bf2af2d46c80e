"""Columns and values of a published result file, in the units that its form requires."""

from collections.abc import Mapping
from typing import Any

from whisper_qat.report.published.reading import HIGH, LOW

DIGITS = 6  # kept of a fraction or ratio, more than the accuracy of a bootstrap interval
Extracted = dict[str, Any]


def round_number(number: float) -> float:
    """The number with as many decimals as a result file keeps."""
    return round(number, DIGITS)


def column(
    name: str, title: str, unit: str, decimals: int | None = None, meaning: str | None = None
) -> Extracted:
    """A column as it is stored in the file."""
    return {"name": name, "title": title, "unit": unit, "decimals": decimals, "meaning": meaning}


def value(name: str, found: Mapping[str, Any] | None, key: str = "rate") -> Extracted:
    """A value with its interval under the name of a column; None where there is none."""
    if found is None:
        return {name: None}
    ends = {} if found.get("low") is None else {LOW: found["low"], HIGH: found["high"]}
    return {name + end: round_number(v) for end, v in ({"": found[key]} | ends).items()}


def megabytes(num_bytes: int | None) -> float | None:
    """Bytes in units of 10^6 bytes."""
    return None if num_bytes is None else num_bytes / 1e6


def machine(
    environment: Mapping[str, Any], threads: int | None, load: str | None = None
) -> Extracted:
    """The CPU with its instruction set, cores, threads and load."""
    cpu = environment.get("cpu") or {}
    return {
        "cpu": cpu.get("name"), "isa": cpu.get("isa") or [], "cores": environment.get("cores"),
        "threads": threads, "load": load,
    }  # fmt: skip
