"""The analysis on a tiny model: JSON, table, plot and a plan that training takes."""

from dataclasses import replace

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.prepare import plan
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.runs.folders import read_json, read_manifest
from whisper_qat.tasks.analyze_sensitivity import SensitivityConfig, run


@pytest.fixture
def config(tiny_whisper, tmp_path):
    return SensitivityConfig(
        model_path=str(tiny_whisper), data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=tmp_path / "found", num_clips=2, audio_context="dynamic", margin_s=0.5,
        wer=False,
    )  # fmt: skip


def test_every_part_is_measured_and_rendered(config, capsys):
    run(replace(config, wer=True, by="side"))
    found = read_json(config.output_dir / "sensitivity.json")
    names = [row["part"] for row in found["rows"]]
    assert names == ["float", "encoder", "decoder", "embedding", "head", "everything"]
    rows = dict(zip(names, found["rows"], strict=True))
    assert rows["float"]["kl"] < 1e-7 < rows["encoder"]["kl"]
    assert all({"wer", "delta_wer", "delta_loss", "ms_saved"} <= set(row) for row in found["rows"])
    table = (config.output_dir / "sensitivity.md").read_text()
    assert "| encoder |" in table and table in capsys.readouterr().out
    assert "<svg" in (config.output_dir / "sensitivity.svg").read_text()
    assert read_manifest(config.output_dir)["kind"] == "sensitivity"


def test_bytes_add_up(config):
    run(config)
    rows = read_json(config.output_dir / "sensitivity.json")["rows"]
    saved = {row["part"]: row["bytes_saved"] for row in rows}
    alone = sum(v for k, v in saved.items() if k not in ("everything", "head"))
    assert saved["everything"] == alone and saved["head"] == saved["embedding"]


def test_a_proposed_plan_keeps_its_budget_and_is_a_plan(config, tiny_whisper):
    run(replace(config, propose=True, size_budget=0.3, scheme="block-int2-32-f16"))
    found = read_json(config.output_dir / "sensitivity.json")["proposal"]
    assert found["share_of_fp32"] <= 0.3 and found["fine"]
    rules = read_rules_file(config.output_dir / "plan.yaml")
    made = plan(load_whisper(tiny_whisper), rules)
    assert len({entry.scheme for entry in made.layers}) == 3


def test_another_scheme_leaves_the_table_in_a_block_scheme(config):
    run(replace(config, scheme="int8-dynamic", by="side"))
    found = read_json(config.output_dir / "sensitivity.json")
    assert (found["scheme"], found["table_scheme"]) == ("int8-dynamic", "block-int8-32-f16")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": "int5"}, "--scheme: unknown scheme 'int5'"),
        ({"fine_scheme": "float"}, "--fine_scheme float: expected an integer scheme"),
        ({"num_clips": 0}, "--num_clips 0: expected 1 or more"),
        ({"propose": True}, "--propose: give one budget, --size_budget or --kl_budget"),
        ({"size_budget": 0.2}, "--size_budget, --kl_budget: only with --propose true"),
        ({"propose": True, "kl_budget": -1.0}, "budget -1.0: expected more than 0"),
    ],
)
def test_bad_settings_are_refused(config, change, message):
    with pytest.raises(InputError, match=message):
        replace(config, **change)


def test_a_finished_folder_is_left_alone(config):
    run(replace(config, by="side"))
    with pytest.raises(InputError, match="found: finished already; remove it to measure again"):
        run(config)
