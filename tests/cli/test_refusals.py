"""Refusals are one line with the place, the value and what would be right."""

from typing import Literal

from whisper_qat.cli.refusals import wrong_flag, wrong_type


def test_wrong_type_names_the_nearest_choice():
    text = wrong_type("a.yaml: kind", "int9", Literal["int8", "none"])
    assert text == "a.yaml: kind: expected one of int8, none, got 'int9'; did you mean 'int8'?"
    assert wrong_type("--n", "x", int) == "--n: expected a whole number, got 'x'"


def test_several_lines_become_one():
    assert wrong_flag("argument --n:\n  expected one argument", {}) == "--n: expected one argument"
    text = 'Parser key "n":\n  Expected int. Got value: x'
    assert wrong_flag(text, {"n": int}) == "--n: expected a whole number, got 'x'"
