"""Checks without which a report means nothing; a failed check leads the page and exits with 1.

A QAT model whose weight codes all equal those of PTQ was not changed by QAT, whatever its WER.
"""

from typing import Any

from whisper_qat.errors import GateError
from whisper_qat.report.render.printing import count


def codes_gates(codes_changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One gate for each pair of compared models: at least one weight code must differ."""
    return [
        {
            "name": "weight codes changed",
            "passed": entry["changed"] > 0,
            "text": f"{entry['row']} compared with {entry['against']}: "
            f"{count(entry['changed'])} of {count(entry['codes'])} weight codes differ"
            + ("" if entry["changed"] > 0 else "; QAT did not change the model"),
        }
        for entry in codes_changed
    ]


def check_gates(results: dict[str, Any], where: object) -> None:
    """Raise GateError naming all failed gates; ``where`` is the report, which has been written."""
    failed = [gate["text"] for gate in results["gates"] if not gate["passed"]]
    if failed:
        raise GateError(f"{'; '.join(failed)} (the report was still written: {where})")
