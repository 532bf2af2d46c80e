"""Checks that a report must pass to mean anything; a failed one is printed first and ends with 1.

A QAT model whose weight codes all equal those of PTQ was not trained by QAT, whatever its WER is.
"""

from typing import Any

from whisper_qat.errors import GateError
from whisper_qat.report.render.printing import count


def codes_gates(codes_changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One gate for each comparison of weight codes: at least one code must differ."""
    return [
        {
            "name": "weight codes changed",
            "passed": entry["changed"] > 0,
            "text": f"{entry['row']} against {entry['against']}: {count(entry['changed'])} of "
            f"{count(entry['codes'])} weight codes differ"
            + ("" if entry["changed"] > 0 else "; QAT did not change the model"),
        }
        for entry in codes_changed
    ]


def check_gates(results: dict[str, Any], where: object) -> None:
    """GateError with all failed gates; ``where`` is the report that was kept."""
    failed = [gate["text"] for gate in results["gates"] if not gate["passed"]]
    if failed:
        raise GateError(f"{'; '.join(failed)} (report kept: {where})")
