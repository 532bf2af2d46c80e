"""Checkpoints: all that a run needs, whole or not at all, and nothing pickled."""

import errno
import random

import numpy as np
import pytest
import torch

from tests.train.tiny_run import tiny_whisper
from whisper_qat.config import InputError
from whisper_qat.train import checkpoint
from whisper_qat.train.checkpoint import Progress


@pytest.fixture
def parts():
    model = tiny_whisper()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return model, optimizer


def save(folder, parts, step=1):
    return checkpoint.save(folder, *parts, Progress(step=step), [checkpoint.randomness()])


def fresh():
    model = tiny_whisper(seed=9)
    return model, torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)


def test_model_optimizer_and_progress_come_back(parts, tmp_path):
    model, optimizer = parts
    progress = Progress(step=3, best_loss=0.5, best_step=2, scaler={"scale": 2.0})
    saved = checkpoint.save(tmp_path, model, optimizer, progress, [checkpoint.randomness()])
    again, adam = fresh()
    assert checkpoint.restore(saved, again, adam, rank=0) == progress
    for (name, a), (_, b) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert (a == b).all(), name
        for key, value in optimizer.state.get(a, {}).items():
            assert (adam.state[b][key] == value).all(), (name, key)
    assert again.proj_out.weight is again.model.decoder.embed_tokens.weight


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_random_states_come_back(parts, tmp_path):
    draws()
    saved = save(tmp_path, parts)
    expected = draws()
    checkpoint.restore(saved, *fresh(), rank=0)
    assert draws() == expected


def test_only_the_newest_stays(parts, tmp_path):
    for step in (1, 2, 10):
        save(tmp_path, parts, step)
    assert [p.name for p in checkpoint.folders(tmp_path)] == ["step-0000010"]


def test_nothing_is_pickled(parts, tmp_path):
    saved = save(tmp_path, parts)
    names = sorted(p.name for p in saved.iterdir())
    assert names == [
        "model.safetensors", "optimizer.safetensors", "random-0.json", "state.json"
    ]  # fmt: skip


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_leaves_the_previous_checkpoint_whole(parts, tmp_path, monkeypatch, number):
    before = save(tmp_path, parts, 1)
    save_file = checkpoint.save_file

    def full(tensors, path):
        save_file(tensors, path)
        if path.name == "optimizer.safetensors":
            raise OSError(number, "No space left on device", str(path))

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(
        InputError, match="step-0000002: disk full; the previous checkpoint is whole"
    ):
        save(tmp_path, parts, 2)
    assert checkpoint.folders(tmp_path) == [before]
    checkpoint.restore(before, *fresh(), rank=0)
    with pytest.raises(InputError, match="best: disk full"):
        monkeypatch.setattr(checkpoint, "save_file", lambda *a: full(*a) or _raise(number))
        checkpoint.save_best(tmp_path, parts[0], {}, 2)


def _raise(number):
    raise OSError(number, "No space left on device")


def test_other_errors_are_not_called_a_full_disk(parts, tmp_path, monkeypatch):
    def broken(tensors, path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(checkpoint, "save_file", broken)
    with pytest.raises(OSError, match="Input/output error"):
        save(tmp_path, parts)


def test_a_checkpoint_of_another_model_is_refused(parts, tmp_path):
    saved = save(tmp_path, parts)
    other = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match=r"model.safetensors: not of this model \(tensor '"):
        checkpoint.restore(saved, other, torch.optim.AdamW(other.parameters()), rank=0)


def test_as_many_processes_as_before(parts, tmp_path):
    saved = save(tmp_path, parts)
    with pytest.raises(InputError, match="no random state of process 1; resume with 1 processes"):
        checkpoint.restore(saved, *fresh(), rank=1)
