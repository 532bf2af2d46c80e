"""The settings of a training benchmark: batch, runtime, and the GPU before the CPU."""

import pytest

from whisper_qat.report.published.extract_training import extract_training

CONFIG = {
    "base_model": "/models/v02", "train_data": "data/prompts", "per_device_batch_size": 8,
    "gradient_accumulation_steps": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "name"), [(None, "EPYC"), ("H200", "H200 on a host with EPYC")], ids=["cpu", "gpu"]
)
def test_settings_and_machine(gpu: str | None, name: str):
    manifest = {
        "config": CONFIG, "cpu": {"name": "EPYC", "isa": ["avx2"]}, "gpu": gpu, "threads": 4,
        "versions": {"torch": "2.9"},
    }  # fmt: skip
    found = extract_training({"rows": [], "job": [], "why": "products in bf16"}, manifest)
    assert (found["machine"]["cpu"], found["machine"]["threads"]) == (name, 4)
    assert found["settings"]["runtime"] == "torch 2.9; products in bf16"
    assert found["settings"]["test_sets"][0]["name"] == "prompts, batch 8 x 2"
    assert found["rows"] == []
