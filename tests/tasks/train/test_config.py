"""Settings of a training: their groups, what follows from others, what is recorded."""

from pathlib import Path

import pytest

from tests.tasks.train_configs import train_config
from whisper_qat.cli.parsing import parse
from whisper_qat.errors import InputError
from whisper_qat.runs.setting_groups import build, changed, flat, groups_of, settings_of
from whisper_qat.tasks.train.config import TrainConfig, recorded

INT4_RULES = "- {pattern: .*, scheme: block-int4-32, why: all}\n"


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(INT4_RULES)
    return path


def test_a_plan_is_recorded_by_its_rules(plan):
    config = train_config(plan=plan)
    rule = {"pattern": ".*", "scheme": "block-int4-32", "why": "all"}
    assert recorded(config) == flat(config) | {"plan": [rule]}


def test_without_a_plan_the_flat_settings_are_the_record():
    config = build(TrainConfig, {"quantization_type": "int4"})
    assert recorded(config) == flat(config)
    assert recorded(config)["learning_rate"] == config.schedule.learning_rate


def test_the_groups_are_those_of_the_help():
    groups = ["data", "context", "schedule", "distillation", "quantization", "output"]
    assert list(groups_of(TrainConfig)) == groups
    assert all(setting.group in groups for setting in settings_of(TrainConfig))


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("int8", "outputs/models/whisper-qat-int8"),
        ("int4", "outputs/models/whisper-qat-int4"),
        ("int2", "outputs/models/whisper-qat-int2"),
        ("none", "outputs/models/whisper-control"),
    ],
)
def test_the_default_folder_follows_the_type(kind, folder):
    assert train_config(quantization_type=kind).output.output_dir == folder
    assert train_config(quantization_type=kind, output_dir="mine").output.output_dir == "mine"


def test_the_default_type_is_int8():
    assert TrainConfig().quantization.quantization_type == "int8"
    assert TrainConfig().output.output_dir == "outputs/models/whisper-qat-int8"


@pytest.mark.parametrize(("name", "kind"), [("int8_row", "int8"), ("ggml_q4_0", "int4")])
def test_a_plan_alone_decides_the_type_and_the_folder(name, kind):
    config = parse(TrainConfig, ["--plan", name])
    assert config.quantization.quantization_type == kind
    assert config.output.output_dir == f"outputs/models/whisper-qat-{kind}"


def test_a_plan_of_two_widths_needs_a_type():
    with pytest.raises(InputError, match="^--plan int4_row: has layers of int8 and int4; pass"):
        parse(TrainConfig, ["--plan", "int4_row"])
    for kind in ("int8", "int4"):
        config = parse(TrainConfig, ["--plan", "int4_row", "--quantization_type", kind])
        assert config.quantization.quantization_type == kind


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("int4", "^--plan int8_row: has no layer of quantization_type=int4, only of int8; leave"),
        ("none", "^--plan int8_row: quantization_type=none, the float control, follows no plan; l"),
    ],
)
def test_a_plan_that_contradicts_the_type_is_one_line(kind, message):
    with pytest.raises(InputError, match=message):
        parse(TrainConfig, ["--plan", "int8_row", "--quantization_type", kind])


def test_a_wrong_type_is_named_with_those_there_are():
    message = (
        "--quantization_type: expected one of int8, int4, int3, int2, none, got 'int6'; did you"
    )
    with pytest.raises(InputError, match=message):
        parse(TrainConfig, ["--quantization_type", "int6"])


def test_changed_settings_are_checked_again(plan):
    config = train_config(plan=plan)
    assert changed(config, seed=3).schedule.seed == 3
    with pytest.raises(InputError, match="block_size=48"):
        changed(config, block_size=48)


def test_the_record_is_what_earlier_runs_recorded():
    """A run that an earlier version began is gone on with only while names and defaults stay."""
    before = build(TrainConfig, {"plan": Path("int8_block")})
    assert recorded(before) == {
        "base_model": "bofenghuang/whisper-large-v3-distil-fr-v0.2",
        "train_data": "data/common-voice-fr", "eval_data": None, "max_samples": None,
        "max_eval_samples": 200, "language": "fr", "task": "transcribe", "num_workers": 2,
        "audio_context": "full", "margin_s": 3.0, "max_margin_s": None, "teacher_context": "same",
        "num_epochs": 5, "per_device_batch_size": 8, "gradient_accumulation_steps": 4,
        "learning_rate": 5e-6, "warmup_ratio": 0.05, "weight_decay": 0.0, "max_grad_norm": 1.0,
        "mixed_precision": "auto", "gradient_checkpointing": False, "seed": 0,
        "ce_weight": 0.8, "kl_weight": 1.0, "temperature": 2.0, "encoder_weight": 0.0,
        "teacher_outputs": None,  # a missing key counts as None
        "quantization_type": "int8", "block_size": 32, "plan": None, "scales": "rule",
        "scale_start": "ort", "calibration_samples": 64, "scale_lr_ratio": 0.1, "curriculum": "",
        "output_dir": "outputs/models/whisper-qat-int8", "eval_steps": 0, "save_steps": 50,
        "resume": True, "dry_run": False,
    }  # fmt: skip


def test_a_default_in_rows_is_recorded_as_its_rules():
    rules = recorded(TrainConfig())["plan"]
    assert [rule["scheme"] for rule in rules] == [
        "float16", "block-int8-32-f16", "int8-row", "block-int8-32-f16",
    ]  # fmt: skip
    named = recorded(build(TrainConfig, {"plan": Path("int8_row")}))["plan"]
    assert [rule["scheme"] for rule in named] == [rule["scheme"] for rule in rules]


@pytest.mark.parametrize("plan", [None, "int4_block"])
def test_blocks_everywhere_are_recorded_as_no_plan(plan):
    values = {"quantization_type": "int4"} | ({"plan": Path(plan)} if plan else {})
    assert recorded(build(TrainConfig, values))["plan"] is None
