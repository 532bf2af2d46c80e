"""Rows: what a folder is, what it is called, what it weighs; and where the baseline comes from."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from tests.tasks.evaluation_folders import all_roles
from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import Plan, PlanEntry
from whisper_qat.tasks.evaluate.rows import (
    describe,
    open_baseline,
    open_row,
    open_rows,
    parse_compare,
    plan_fingerprint,
    row_sizes,
    scheme_name,
)


@pytest.fixture(scope="module")
def roles(tiny_whisper_folder, tmp_path_factory):
    return all_roles(tiny_whisper_folder(), tmp_path_factory.mktemp("roles"))


@pytest.mark.parametrize(
    ("role", "name", "runtime"),
    [
        ("base", "base-float", "torch"),
        ("base-float", "base-float", "onnx"),
        ("base-ptq", "base-ptq-int8", "onnx"),
        ("qat", "qat-int8", "onnx"),
        ("qat-final", "qat-int8", "torch"),
        ("control", "control-float", "onnx"),
        ("control-ptq", "control-ptq-int8", "onnx"),
    ],
)
def test_a_row_is_named_by_how_it_was_made(roles, role, name, runtime):
    row = open_row(roles[role])
    assert (row.name, row.runtime) == (name, runtime)


def test_float32_size_is_that_of_the_parameters_on_both_runtimes(roles):
    model = WhisperForConditionalGeneration.from_pretrained(roles["base"], dtype=torch.float32)
    expected = 4 * sum(p.numel() for p in model.parameters())
    for role in ("base", "base-float", "qat", "qat-final"):
        assert row_sizes(open_row(roles[role]))["fp32"] == expected, role
    float_size = row_sizes(open_row(roles["base-float"]))["model"]
    assert 0.99 < float_size / expected < 1.2  # graphs weigh something beside tiny weights


def test_description_of_a_row(roles):
    row = describe(open_row(roles["qat"]))
    assert row["audio_context"] == {"mode": "dynamic", "margin_s": 1.0}
    assert row["scheme"] == "block-int8-32-f16 + int8-row" and row["format"] == "onnx"
    assert describe(open_row(roles["base"]))["scheme"] is None
    json.dumps(row)


def test_a_mixed_plan_is_named_by_its_common_schemes(roles, tmp_path):
    row = open_row(roles["qat"])
    named = [("int8-row", 12), ("block-int4-32-f16", 7), ("block-int8-32-f16", 1)]
    schemes = [scheme for scheme, count in named for _ in range(count)]
    layers = tuple(PlanEntry(name=str(i), scheme=s, why="") for i, s in enumerate(schemes))
    Plan(layers).write(tmp_path)
    assert scheme_name(replace(row, folder=tmp_path)) == "int8-row + block-int4-32-f16"


def test_seed_is_that_of_the_training(roles):
    seeds = {role: describe(open_row(roles[role]))["training_seed"] for role in roles}
    assert seeds["qat"] == seeds["control-ptq"] == 7
    assert seeds["base"] is None and seeds["base-ptq"] is None


def test_baseline_is_first_and_not_repeated(roles, tmp_path):
    compare = [f"ptq={roles['base-ptq']}"]
    rows, baseline, notes = open_rows(roles["qat"], roles["base-float"], compare, tmp_path)
    assert [row.name for row in rows] == ["base-float", "qat-int8", "ptq"]
    assert baseline == "base-float" and notes == []
    rows, baseline, _ = open_rows(roles["base-float"], None, [], tmp_path)
    assert [row.name for row in rows] == [baseline] == ["base-float"]


def test_baseline_from_the_record_runs_on_torch(roles, tmp_path):
    row, notes = open_baseline(open_row(roles["qat"]), None, tmp_path)
    assert row is not None and row.runtime == "torch" and row.name == "base-float"
    assert "--quantization_type none --audio_context dynamic --margin_s 1" in notes[0]


def test_a_hub_id_is_asked_of_the_hub(roles, tmp_path):
    with pytest.raises(InputError, match="--baseline_model: .*'openai/whisper-x': no such folder"):
        open_rows(roles["qat"], "openai/whisper-x", [], tmp_path)


def test_a_flag_is_named_with_what_is_wrong(roles, tmp_path):
    with pytest.raises(InputError, match="--compare ptq: nowhere: no such folder"):
        open_rows(roles["qat"], None, ["ptq=nowhere"], tmp_path)


def test_a_record_whose_checkpoint_is_gone_says_how_to_make_a_baseline(
    roles, tiny_whisper_folder, tmp_path
):
    base = tiny_whisper_folder(tmp_path / "base")
    qat = open_row(all_roles(base, tmp_path / "roles")["qat"])
    other = tiny_whisper_folder(seed=9)
    base.rename(tmp_path / "moved")
    row, notes = open_baseline(qat, None, tmp_path)
    assert row is None and "no baseline row" in notes[0] and "--baseline_model BASE" in notes[0]
    other.rename(base)
    row, notes = open_baseline(qat, None, tmp_path)
    assert row is None and "is not the checkpoint trained from" in notes[0]


def test_a_baseline_made_like_the_model_gets_another_name(roles, tiny_whisper_folder, tmp_path):
    other = all_roles(tiny_whisper_folder(seed=3), tmp_path)["qat"]
    rows, baseline, _ = open_rows(roles["qat"], other, [], tmp_path)
    assert [row.name for row in rows] == ["baseline", "qat-int8"] and baseline == "baseline"


def test_compare_gives_names_to_folders():
    assert parse_compare(["a=x/y", "v0.2=z=1"]) == {"a": "x/y", "v0.2": "z=1"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["folder"], "'folder': expected NAME=FOLDER"),
        (["a/b=folder"], "'a/b=folder': expected NAME=FOLDER"),
        (["a="], "'a=': expected NAME=FOLDER"),
        (["a=x", "a=y"], "'a=y': the name 'a' is given twice"),
    ],
)
def test_compare_in_another_form_is_refused(words, message):
    with pytest.raises(InputError, match=message):
        parse_compare(words)


def test_a_name_used_by_two_rows_is_refused(roles, tmp_path):
    compare = [f"qat-int8={roles['control']}"]
    with pytest.raises(InputError, match="two rows are called 'qat-int8'"):
        open_rows(roles["qat"], roles["base-float"], compare, tmp_path)


def test_an_onnx_folder_without_a_manifest_is_refused(roles, tmp_path):
    for path in roles["base-float"].iterdir():
        if path.name != "manifest.json":
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(InputError, match="unfinished or not converted by us"):
        open_row(tmp_path)


def test_a_folder_named_again_in_compare_is_one_row(roles, tmp_path):
    model, base = str(roles["qat"]), str(roles["base-float"])
    rows, baseline, _ = open_rows(model, base, [f"int8-s7={model}", f"base={base}"], tmp_path)
    assert [row.name for row in rows] == ["int8-s7", "base"]
    assert baseline == "base"


def test_plans_are_told_apart(roles):
    rows = {name: describe(open_row(roles[name])) for name in ("qat", "base-ptq", "base-float")}
    assert rows["qat"]["plan"] == rows["base-ptq"]["plan"] is not None
    assert rows["base-float"]["plan"] is None
    path = roles["qat"] / "plan.json"
    kept = path.read_text()
    path.write_text(kept.replace("float16", "float", 1).replace("-32-f16", "-64-f16", 1))
    try:
        assert plan_fingerprint(open_row(roles["qat"])) != rows["qat"]["plan"]
    finally:
        path.write_text(kept)
