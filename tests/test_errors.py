"""Nearest names: close ones are offered, far ones are not."""

import pytest

from whisper_qat.errors import GateError, InputError, nearest


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("learnig_rate", "; did you mean 'learning_rate'?"),
        ("--epochs", "; did you mean 'num_epochs'?"),
        ("zebra", ""),
        ("", ""),
    ],
    ids=["typo", "part", "far", "empty"],
)
def test_nearest(word, answer):
    assert nearest(word, ["learning_rate", "num_epochs"]) == answer


def test_nearest_of_nothing():
    assert nearest("x", []) == ""


def test_errors_are_not_one_another():
    assert issubclass(InputError, ValueError)
    assert not issubclass(GateError, ValueError)
