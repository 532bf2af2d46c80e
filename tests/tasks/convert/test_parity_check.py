"""The parity gate within conversion: the training's own speech, the report, the failure."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from whisper_qat.errors import GateError, InputError
from whisper_qat.parity import wiring
from whisper_qat.runs.folders import is_finished, read_json
from whisper_qat.tasks.convert.convert import ConvertConfig, run
from whisper_qat.tasks.train.train_qat import run as train


@pytest.fixture(scope="module")
def trained(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = train_config(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(folder / "speech")),
        output_dir=str(folder / "run"), num_epochs=1, per_device_batch_size=4, num_workers=0,
        gradient_accumulation_steps=1, audio_context="dynamic", margin_s=0.5,
    )  # fmt: skip
    train(config)
    return Path(config.output.output_dir) / "final"


@pytest.fixture
def config(trained, tmp_path):
    return ConvertConfig(model_path=str(trained), output_path=tmp_path / "onnx")


def test_the_report_lies_in_the_folder(config):
    run(config)
    report = read_json(config.output_path / "parity.json")
    assert report["passed"] and report["material"]["kind"] == "speech"
    assert report["transcripts"]["transcripts"] == 14


def test_a_failed_gate_keeps_the_report_and_no_folder(config, monkeypatch):
    monkeypatch.setattr(wiring, "TOLERANCE", 0.0)
    with pytest.raises(GateError, match=r"onnx: parity failed \(wiring\); see .*onnx.parity.json"):
        run(config)
    assert not is_finished(config.output_path)
    report = read_json(config.output_path.with_name("onnx.parity.json"))
    assert report["failed"] == ["wiring"]


def test_speech_that_is_gone_gives_noise_and_says_so(config, trained, caplog, monkeypatch):
    from whisper_qat.tasks.convert import parity_check

    monkeypatch.setattr(
        parity_check,
        "_training_setting",
        lambda source, key: "/gone" if key == "eval_data" else None,
    )
    run(config)
    assert "using seeded noise" in caplog.text
    assert read_json(config.output_path / "parity.json")["material"]["kind"] == "noise"


def test_speech_that_was_asked_for_must_be_there(config):
    with pytest.raises(InputError, match="/gone"):
        run(replace(config, parity_data="/gone"))


def test_positions_are_checked():
    with pytest.raises(InputError, match="--parity_positions 0: expected 1 or more"):
        ConvertConfig(model_path="a", output_path=Path("b"), parity_positions=0)
    with pytest.raises(InputError, match="--parity_transcripts -1: expected 0 or more"):
        ConvertConfig(model_path="a", output_path=Path("b"), parity_transcripts=-1)
