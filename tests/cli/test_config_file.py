"""YAML files: groups and flat names alike, shipped configurations by name, errors by place."""

import pytest

from tests.cli.example import Grouped, Schedule, Speech
from whisper_qat.cli.parsing import parse
from whisper_qat.errors import InputError
from whisper_qat.tasks.train.config import TrainConfig

WANTED = Grouped(
    data=Speech(train_data="d", max_samples=5), schedule=Schedule(learning_rate=0.5), seed=7
)


def read(tmp_path, text: str, *argv: str) -> Grouped:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return parse(Grouped, ["--config", str(path), *argv])


@pytest.mark.parametrize(
    "text",
    [
        "train_data: d\nmax_samples: 5\nlearning_rate: 0.5\nseed: 7",
        "data: {train_data: d, max_samples: 5}\nschedule: {learning_rate: 0.5}\nseed: 7",
        "data: {train_data: d}\nmax_samples: 5\nschedule:\n  learning_rate: 0.5\nseed: 7",
    ],
    ids=["flat", "groups", "mixed"],
)
def test_flat_names_and_groups_are_the_same(tmp_path, text):
    assert read(tmp_path, text) == WANTED


def test_a_flag_wins_over_a_group(tmp_path):
    found = read(
        tmp_path, "data: {train_data: d}\nschedule: {learning_rate: 2}", "--learning_rate=3"
    )
    assert found.schedule.learning_rate == 3.0


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("shedule: {}", r"a\.yaml: unknown key 'shedule'; did you mean 'schedule'\?$"),
        ("schedule: 3", r"a\.yaml: schedule: expected lines 'name: value', got 3$"),
        (
            "schedule: {learnig_rate: 1}",
            r"a\.yaml: schedule: unknown key 'learnig_rate'; did you mean 'learning_rate'\?$",
        ),
        (
            "schedule: {train_data: d}",
            r"a\.yaml: schedule: unknown key 'train_data'; it belongs to data$",
        ),
        ("schedule: {seed: 1}", r"a\.yaml: schedule: unknown key 'seed'$"),
        (
            "schedule: {learning_rate: fast}",
            r"a\.yaml: schedule: learning_rate: expected a number, got 'fast'$",
        ),
        (
            "learning_rate: 1\nschedule: {learning_rate: 2}",
            r"learning_rate is given twice, as \S*a\.yaml: learning_rate and "
            r"\S*a\.yaml: schedule: learning_rate$",
        ),
    ],
    ids=["group", "no mapping", "key", "other group", "no group", "type", "twice"],
)
def test_wrong_groups(tmp_path, text, match):
    with pytest.raises(InputError, match=match) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_shipped_configuration_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(TrainConfig, ["--config", "qat_int4"]) == parse(
        TrainConfig, ["--config", "qat_int4", "--quantization_type", "int4"]
    )


def test_an_unknown_configuration_is_named_with_those_that_exist():
    with pytest.raises(InputError, match="no configuration of that name .*did you mean 'qat_int8'"):
        parse(TrainConfig, ["--config", "qat_int9"])
