"""Checkpoints: all that a run needs, whole or not at all, and nothing pickled."""

import errno
import random

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from tests.train.tiny_run import tiny_whisper
from whisper_qat.errors import InputError
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


def restore(folder, parts, rank=0, num_processes=1):
    return checkpoint.restore(folder, *parts, rank=rank, num_processes=num_processes)


def fresh():
    model = tiny_whisper(seed=9)
    return model, torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)


def test_model_optimizer_and_progress_come_back(parts, tmp_path):
    model, optimizer = parts
    progress = Progress(step=3, best_loss=0.5, best_step=2, scaler={"scale": 2.0})
    saved = checkpoint.save(tmp_path, model, optimizer, progress, [checkpoint.randomness()])
    again, adam = fresh()
    assert restore(saved, (again, adam)) == progress
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
    restore(saved, fresh())
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
    restore(before, fresh())
    with pytest.raises(InputError, match="best: disk full"):
        monkeypatch.setattr(checkpoint, "save_file", lambda *a: full(*a) or _raise(number))
        checkpoint.save_best(tmp_path, parts[0], {}, 2)


def _raise(number):
    raise OSError(number, "No space left on device")


def test_safetensors_own_error_for_a_full_disk_is_known(parts, tmp_path, monkeypatch):
    def full(tensors, path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(InputError, match="step-0000001: disk full"):
        save(tmp_path, parts)
    assert list(tmp_path.glob("*")) == []


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
        restore(saved, (other, torch.optim.AdamW(other.parameters())))


def test_a_checkpoint_of_another_size_is_refused_before_anything_changes(parts, tmp_path):
    saved = save(tmp_path, parts)
    model, adam = fresh()
    fc1 = model.model.encoder.layers[0].fc1
    fc1.weight = torch.nn.Parameter(torch.zeros(3, 32))
    before = model.model.encoder.conv1.weight.clone()
    with pytest.raises(InputError, match=r"not of this model \(tensor 'model\..*fc1.weight'\)"):
        restore(saved, (model, adam))
    assert (model.model.encoder.conv1.weight == before).all()


@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1)])
def test_as_many_processes_as_before(parts, tmp_path, before, now):
    states = [checkpoint.randomness()] * before
    saved = checkpoint.save(tmp_path, *parts, Progress(step=1), states)
    with pytest.raises(
        InputError, match=f"saved by {before} processes, resumed by {now}; resume with {before}"
    ):
        restore(saved, fresh(), rank=0, num_processes=now)


def test_the_random_state_is_that_of_the_process(parts, tmp_path):
    states = [checkpoint.randomness()]
    draws()
    states.append(checkpoint.randomness())
    second = draws()
    saved = checkpoint.save(tmp_path, *parts, Progress(step=1), states)
    restore(saved, fresh(), rank=1, num_processes=2)
    assert draws() == second


def test_what_a_kill_left_half_written_is_not_taken_up(parts, tmp_path):
    whole = save(tmp_path, parts, 1)
    torn = tmp_path / "step-0000002"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"torn")
    (tmp_path / ".step-0000003.partial").mkdir()
    assert checkpoint.folders(tmp_path) == [whole]


def test_the_best_is_no_step_of_the_run(parts, tmp_path):
    checkpoint.save_best(tmp_path, parts[0], {"eval_loss": 0.5}, 4)
    assert checkpoint.folders(tmp_path) == []
    model = tiny_whisper(seed=9)
    checkpoint.load_weights(model, tmp_path / "best" / "model.safetensors")
    assert (model.model.encoder.conv1.weight == parts[0].model.encoder.conv1.weight).all()


def test_files_are_as_readable_as_any_other(parts, tmp_path):
    saved = save(tmp_path, parts)
    (tmp_path / "plain").touch()
    expected = (tmp_path / "plain").stat().st_mode
    assert {p.name: p.stat().st_mode for p in saved.iterdir() if p.stat().st_mode != expected} == {}
