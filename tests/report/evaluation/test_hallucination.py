"""Counts of loops and invented words, over clips whose reference has words."""

from typing import Any

import pytest

from whisper_qat.report.evaluation.hallucination import signs
from whisper_qat.report.evaluation.rows import ClipResult


def clip(reference: str, hypothesis: str, duration_s: float = 2.0) -> ClipResult:
    return ClipResult(
        id=hypothesis, reference=reference, hypothesis=hypothesis, duration_s=duration_s
    )


def test_a_loop_shows_in_every_sign():
    found = signs([clip("merci de votre appel", "merci de votre appel " * 20)], str.lower)
    assert found is not None
    assert (found["repeated_5grams"], found["too_long"], found["looping"]) == (72, 1, 1)
    assert found["words_per_second"] == pytest.approx(80 / 2)


def test_a_right_transcript_shows_none():
    found = signs([clip("merci de votre appel", "Merci de votre appel")], str.lower)
    assert found is not None
    assert (found["repeated_5grams"], found["too_long"], found["looping"], found["silent"]) == (
        0, 0, 0, 0,
    )  # fmt: skip


def test_silence_and_empty_references():
    found = signs([clip("oui", ""), clip("", "oui oui", 9.0)], str)
    assert found is not None
    assert (found["clips"], found["silent"], found["words_per_second"]) == (1, 1, 0.0)
    assert signs([clip("", "oui")], str) is None


def test_every_row_has_its_signs(results: dict[str, Any]):
    names = [entry["row"] for entry in results["hallucination"]]
    assert names == [row["name"] for row in results["rows"]]
    assert {entry["clips"] for entry in results["hallucination"]} == {30}
