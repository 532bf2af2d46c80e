"""Bars are drawn unless TQDM_DISABLE says otherwise at that moment."""

import pytest

from whisper_qat.runs.progress import Bar


@pytest.mark.parametrize(("value", "drawn"), [("", True), ("0", True), ("1", False)])
def test_the_variable_is_read_when_a_bar_is_drawn(capsys, monkeypatch, value, drawn):
    monkeypatch.setenv("TQDM_DISABLE", value)
    assert list(Bar([1, 2], desc="counting")) == [1, 2]
    assert ("counting" in capsys.readouterr().err) == drawn


def test_a_bar_can_be_switched_off_by_its_caller(capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    list(Bar([1], disable=True))
    assert capsys.readouterr().err == ""
