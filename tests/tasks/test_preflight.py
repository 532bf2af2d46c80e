"""The preflight: what it says of a run, and what it refuses before step 1."""

import shutil
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.config import InputError
from whisper_qat.data.loader import Batch
from whisper_qat.tasks import preflight
from whisper_qat.tasks.train_qat import TrainConfig, run


@pytest.fixture
def config(tiny_whisper, tmp_path):
    return TrainConfig(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "run"), audio_context="dynamic", num_workers=0, dry_run=True,
    )  # fmt: skip


def test_a_dry_run_says_what_the_run_costs(config, capsys):
    run(config)
    printed = capsys.readouterr().out
    assert "preflight: 8 clips, 0.00 h of audio, 5 epochs, 5 steps" in printed
    for word in ("min for training", "GiB of memory", "GiB of disk", "rehearsal plan -> convert"):
        assert word in printed


def test_too_little_disk_is_refused(config, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 2**20))
    with pytest.raises(InputError, match=r"0.0 GiB of disk free, the run needs about .* GiB; free"):
        run(config)


BATCH = Batch(torch.zeros(2, 80, 400), torch.zeros(2, 3), torch.zeros(2, 3), ("a", "b"))


def loop(size, accumulation):
    settings = SimpleNamespace(per_device_batch_size=size, gradient_accumulation_steps=accumulation)
    return SimpleNamespace(settings=settings)


@pytest.mark.parametrize(
    ("size", "accumulation", "advice"),
    [(8, 4, "--per_device_batch_size 4 --gradient_accumulation_steps 8"),
     (9, 1, "--per_device_batch_size 3 --gradient_accumulation_steps 3"),
     (7, 2, "--per_device_batch_size 1 --gradient_accumulation_steps 14"),
     (1, 4, "--gradient_checkpointing true")],
)  # fmt: skip
def test_out_of_memory_offers_a_batch_of_the_same_product(size, accumulation, advice):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    found = preflight.out_of_memory(error, loop(size, accumulation), BATCH)
    assert isinstance(found, InputError)
    assert "out of memory on batch a, b (400 mel frames)" in str(found) and advice in str(found)


def test_the_cpu_allocator_is_understood_and_other_errors_are_not():
    cpu = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    assert preflight.out_of_memory(cpu, loop(2, 1), BATCH) is not None
    assert preflight.out_of_memory(RuntimeError("shape mismatch"), loop(2, 1), BATCH) is None
