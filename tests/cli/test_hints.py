"""What each kind of type hint is called and how its values look."""

from pathlib import Path
from typing import Literal

import pytest

from whisper_qat.cli.hints import (
    as_declared,
    choices,
    expectation,
    is_list,
    is_switch,
    metavar,
    plain,
    without_none,
)

KIND = Literal["a", "b"]


@pytest.mark.parametrize(
    ("hint", "expected", "shown"),
    [
        (int, "a whole number", "N"),
        (float | None, "a number or null", "X"),
        (bool, "true or false", "VALUE"),
        (Path, "text", "PATH"),
        (list[str], "a list of text", "TEXT"),
        (tuple[KIND, ...] | None, "a list of one of a, b or null", "{a,b}"),
        (int | str, "a whole number or text", "VALUE"),
    ],
    ids=str,
)
def test_hint_in_words(hint, expected, shown):
    assert expectation(hint) == expected
    assert metavar(hint) == shown


def test_kinds_are_told_apart():
    assert without_none(int | None) == (int, True)
    assert without_none(int) == (int, False)
    assert is_list(list[int]) and is_list(tuple[int, ...] | None) and not is_list(str)
    assert is_switch(bool) and not is_switch(int)
    assert choices(list[KIND]) == ["a", "b"] == choices(KIND | None)
    assert choices(str) == []


def test_values_go_to_yaml_and_back():
    assert plain((1, 2)) == [1, 2] and plain(Path("a")) == "a" and plain(3) == 3
    assert as_declared([1], tuple[int, ...]) == (1,)
    assert as_declared("a", Path | None) == Path("a")
    assert as_declared(None, Path | None) is None
