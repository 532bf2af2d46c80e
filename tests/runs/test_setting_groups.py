"""Groups in code, flat names outside, and back."""

from dataclasses import dataclass, field

import pytest

from tests.cli.example import Example, Grouped, Schedule, Speech
from whisper_qat.runs.setting_groups import build, flat, groups_of, settings_of

VALUES = {
    "train_data": "d", "max_samples": None, "learning_rate": 0.5, "steps": (3,), "kind": "",
    "seed": 0,
}  # fmt: skip


def test_settings_know_their_group_and_default():
    found = {setting.name: setting for setting in settings_of(Grouped)}
    assert list(found) == list(VALUES)
    assert [s.group for s in found.values()] == ["data"] * 2 + ["schedule"] * 3 + [None]
    assert found["train_data"].required and not found["seed"].required
    assert found["learning_rate"].default == 1e-5
    assert found["train_data"].default is None
    assert found["steps"].owner is Schedule


def test_groups():
    assert groups_of(Grouped) == {"data": Speech, "schedule": Schedule}
    assert groups_of(Example) == {}


def test_flat_and_back():
    config = build(Grouped, {"train_data": "d", "learning_rate": 0.5, "steps": (3,)})
    wanted = Schedule(learning_rate=0.5, steps=(3,))
    assert config == Grouped(data=Speech(train_data="d"), schedule=wanted)
    assert flat(config) == VALUES
    assert build(Grouped, flat(config)) == config


def test_a_configuration_without_groups():
    config = build(Example, {"model_path": "m"})
    assert config == Example(model_path="m")
    assert build(Example, flat(config)) == config


def test_an_unknown_name_is_a_bug():
    with pytest.raises(TypeError, match="learnig_rate"):
        build(Grouped, {"train_data": "d", "learnig_rate": 1})


def test_one_name_stands_in_one_group():
    @dataclass
    class Twice:
        schedule: Schedule = field(default_factory=Schedule)
        learning_rate: float = 1.0

    with pytest.raises(AssertionError, match="Twice: a name stands in two groups"):
        settings_of(Twice)
