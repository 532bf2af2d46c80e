"""Keys and kinds: every error names the file, the key and the expected value."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.report.published.form import (
    DATE,
    MACHINE,
    NUMBER,
    TEXT,
    UNITS,
    WHOLE,
    check,
    list_of,
    one_of,
    or_null,
)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (TEXT, ["a"], ["", " ", 1, None]),
        (WHOLE, [0, -1], [True, 1.0, "1", None]),
        (NUMBER, [0, 1.5], [True, "1.5", None, float("nan"), float("inf")]),
        (DATE, ["2026-11-21"], ["21.11.2026", "2026-11-31", "20261121", 20261121, None]),
        (or_null(WHOLE), [1, None], ["1"]),
        (list_of(WHOLE, "whole numbers"), [[], [1]], [[1, "2"], 1]),
        (one_of({"a": 1}), ["a"], ["b", [], None]),
        (UNITS["count"], [3, None], [3.5]),
    ],
)
def test_kind(kind, right, wrong):
    assert all(kind.fits(value) for value in right)
    assert not any(kind.fits(value) for value in wrong)


def machine(**changes):
    return {"cpu": "x", "isa": [], "cores": 2, "threads": None, "load": None} | changes


def test_right_record_passes():
    check(machine(), MACHINE, "a.json", "machine")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "a.json: machine: expected an object with cpu, isa, cores, threads, load"),
        (
            machine(thread=2),
            "a.json: machine.thread: unknown key; did you mean 'threads'?",
        ),
        (machine(cores="two"), "a.json: machine.cores: expected a whole number or null, got 'two'"),
        (machine(isa="avx2"), "a.json: machine.isa: expected a list of texts, got 'avx2'"),
        ({"cpu": None}, "a.json: machine.isa: missing; expected a list of texts"),
    ],
)
def test_wrong_record(record, message):
    with pytest.raises(InputError) as error:
        check(record, MACHINE, "a.json", "machine")
    assert str(error.value) == message


def test_optional_keys_may_be_missing_but_not_wrong():
    form, optional = {"wer": NUMBER}, {"wer_low": NUMBER}
    check({"wer": 1}, form, "a.json", optional=optional)
    with pytest.raises(InputError, match="a.json: wer_low: expected a number, got 'x'"):
        check({"wer": 1, "wer_low": "x"}, form, "a.json", optional=optional)
