"""The recommend command on a tiny model: every shipped plan has a time, bad input is named."""

import json

import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json
from whisper_qat.shipped import PLANS, shipped_names
from whisper_qat.tasks.recommend import RecommendConfig, run


@pytest.fixture
def folder(tmp_path):
    config = cases.tiny_config().to_dict() | {"model_type": "whisper"}
    (tmp_path / "config.json").write_text(json.dumps(config, default=str))
    return tmp_path


def test_every_plan_but_other_runtimes_is_measured(folder, capsys):
    run(RecommendConfig(model_path=folder, threads=1, json=folder / "times.json"))
    report = read_json(folder / "times.json")
    names = {one["name"] for one in report["plans"]}
    assert names == {"float32", *(n for n in shipped_names(PLANS) if not n.startswith("ggml"))}
    assert all(time > 0 for one in report["plans"] for time in one["milliseconds"].values())
    assert report["machine"]["threads"] == 1 and report["machine"]["kind"]
    shown = capsys.readouterr().out
    assert shown.startswith("CPU: ") and "Fastest on a clip of 30 s: " in shown


def test_chosen_plans_alone(folder):
    run(RecommendConfig(model_path=folder, plans=["int8_row"], json=folder / "times.json"))
    assert [one["name"] for one in read_json(folder / "times.json")["plans"]] == [
        "float32", "int8_row",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 0}, "--threads 0: expected a number from 1"),
        ({"plans": ["int9"]}, "--plan int9: no such file, and no plan of that name"),
    ],
)
def test_wrong_values_are_named(folder, changes, message):
    with pytest.raises(InputError, match=message):
        run(RecommendConfig(model_path=folder, **changes))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"--model_path .*: no config.json; expected a checkpoint"):
        RecommendConfig(model_path=tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="config.json: not of a Whisper model"):
        run(RecommendConfig(model_path=tmp_path))
