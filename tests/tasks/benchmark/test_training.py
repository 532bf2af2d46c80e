"""The training benchmark: real steps of every kind, ratios to float, the job's arithmetic."""

import json

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.errors import InputError
from whisper_qat.report.benchmark.train_speed import show
from whisper_qat.runs.folders import is_finished
from whisper_qat.tasks.benchmark.training import BenchmarkTrainConfig, run
from whisper_qat.train import flops


@pytest.mark.slow
def test_every_kind_runs_the_same_steps(tiny_whisper, tmp_path):
    run(BenchmarkTrainConfig(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "out"), quantization_types=["none", "int4"],
        audio_contexts=["dynamic"], steps=1, rounds=2, per_device_batch_size=2,
        gradient_accumulation_steps=1, num_workers=0, teacher_context="full",
        job_clips=100, job_epochs=3, job_clip_s=2.0, job_tokens=7,
    ))  # fmt: skip
    assert is_finished(tmp_path / "out")
    report = json.loads((tmp_path / "out" / "train_speed.json").read_text())
    plain, quantized = report["rows"]
    assert plain["to_float"] == plain["memory_to_float"] == 1
    assert quantized["quantization_type"] == "int4" and quantized["to_float"] > 0
    for row in report["rows"]:
        assert len(row["rounds"]) == 2 and 0 <= row["waiting_share"] < 1
        assert row["rounds"][0]["clips"] == [2] and row["peak_bytes"] > 2**20
        elapsed = [sum(r["seconds"] + r["waited_s"]) for r in row["rounds"]]
        work = [sum(r["model_flops"]) for r in row["rounds"]]
        assert row["model_flops_per_s"] == pytest.approx(sum(work) / sum(elapsed))
    # The same clips in both kinds, other clips in the next round.
    assert [r["model_flops"] for r in plain["rounds"]] == [
        r["model_flops"] for r in quantized["rounds"]
    ]
    job = report["job"][0]
    one = flops.training_step(flops.V02, 500, 7, teacher_frames=3000)
    assert job["flops_per_clip"] == one and job["flops"] == one * 300
    assert job["hours"] == pytest.approx(one * 300 / plain["model_flops_per_s"] / 3600)
    text = (tmp_path / "out" / "train_speed.txt").read_text()
    assert "int4" in text and "no GPU" in text and text == show(report)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "--steps 0: expected more than 0"),
        ({"job_clip_s": -1.0}, "--job_clip_s -1.0: expected more than 0"),
        ({"quantization_types": ["int8"]}, "--quantization_types: none .the float step. is what"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(InputError, match=message):
        BenchmarkTrainConfig(**change)
