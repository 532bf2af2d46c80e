"""Which rows lie outside the comparison, and the order of the others."""

from typing import Any

import pytest

from tests.report.known_results import known_results
from tests.report.synthetic import FULL, INT4, quickstart_rows, row
from whisper_qat.report.evaluation.shown_rows import (
    has_more_errors_than_words,
    outside,
    outside_rows,
    shown_rows,
)

BASE, PTQ = row("base", "float"), row("base-ptq", "ptq")
BASE_FULL = row("base-full", "float", audio_context=FULL)
PTQ_FULL = row("base-ptq-full", "ptq", audio_context=FULL)
CONTROL = row("control", "float", fine_tuned=True, training_seed=0)
OTHER_MODEL = {"name": "whisper-small", "fingerprint": "77aa"}


def test_rows_in_the_order_of_the_work():
    results = known_results([(record, 0.1) for record in reversed(quickstart_rows())])
    assert [r["name"] for r in shown_rows(results)] == [
        "base-float", "base-ptq-int8", "control", "control-ptq-int8", "qat-int8",
        "control-ptq-int4", "qat-int4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([(BASE, 0.2), (PTQ, 0.2), (CONTROL, 0.1)], []),
        ([(BASE, 2.05), (PTQ, 1.001), (CONTROL, 0.1)], ["base", "base-ptq"]),
        ([(BASE, 1.0), (CONTROL, 0.1)], []),
        ([(BASE, 0.2), (PTQ, 0.2), (BASE_FULL, 0.2)], ["base", "base-ptq"]),
        ([(BASE, 0.2), (PTQ_FULL, 0.2)], ["base"]),
        ([(BASE, 0.2), (BASE_FULL, None)], []),
        ([(BASE, 0.2), (BASE_FULL | {"base_model": OTHER_MODEL}, 0.2)], []),
        ([(BASE, 0.2), (CONTROL | {"audio_context": FULL}, 0.2)], []),
        ([(CONTROL, 1.2), (BASE_FULL, 0.2)], ["control"]),
        ([(CONTROL, 1.2), (BASE, 2.0)], []),
        ([(CONTROL, None), (BASE, 2.0)], []),
    ],
    ids=[
        "one context", "above 100 %", "exactly 100 %", "30 s measured too", "30 s only as PTQ",
        "30 s without WER", "30 s of another model", "30 s of a trained model", "trained",
        "nothing else", "nothing else measured",
    ],
)  # fmt: skip
def test_rows_outside_the_comparison(rows: list[tuple[dict[str, Any], Any]], left: list[str]):
    results = known_results(rows)
    assert outside(results) == left
    known = results | {"outside": left}
    assert [r["name"] for r in outside_rows(known)] == left
    assert not {r["name"] for r in shown_rows(known)} & set(left)
    assert len(shown_rows(known)) + len(left) == len(rows)


def test_pooled_seeds_are_judged_together():
    seeds = [row(f"qat-s{i}", "qat", fine_tuned=True, training_seed=i, **INT4) for i in range(2)]
    results = known_results([(seeds[0], 1.5), (seeds[1], 1.5), (BASE, 0.2)])
    assert outside(results) == ["qat-s0", "qat-s1"]
    results["group_summary"][0]["wer"]["rate"] = 0.8  # of both together
    assert outside(results) == []


def test_results_of_older_evaluations_show_every_row():
    results = known_results([(BASE, 2.0), (CONTROL, 0.1)])
    del results["outside"]
    assert len(shown_rows(results)) == 2 and outside_rows(results) == []


def test_more_errors_than_words():
    results = known_results([(BASE, 2.0), (CONTROL, 0.1), (PTQ, None)])
    names = ("base", "control", "base-ptq", None)
    found = [has_more_errors_than_words(results, name) for name in names]
    assert found == [True, False, False, False]
