"""Checkpoints: everything needed to resume a run bit for bit, without pickle files.

A checkpoint is a folder `step-0000040` with `model.safetensors` and `optimizer.safetensors`
(float32), `state.json` (step, history, loss scale) and one `random-RANK.json` per process. It is
written under a temporary name and renamed, so a kill or a full disk leaves the previous one intact.
"""

import base64
import errno
import os
import random
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.runs.folders import make_ordinary, new_folder, read_json, write_json

MODEL_NAME = "model.safetensors"
OPTIMIZER_NAME = "optimizer.safetensors"
STATE_NAME = "state.json"
STEP_FOLDER = re.compile(r"step-(\d+)")


@dataclass
class Progress:
    """Progress of a run: `step` optimizer steps are done."""

    step: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    scaler: dict[str, Any] = field(default_factory=dict)


def save(
    checkpoints: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress,
    randomness: list[dict[str, Any]],
) -> Path:  # fmt: skip
    """Write the checkpoint of `progress.step`, remove the previous one, return the new folder.

    A full disk is an InputError that names the folder; the previous checkpoint stays.
    """
    target = checkpoints / f"step-{progress.step:07d}"
    try:
        with new_folder(target) as folder:
            save_tensors(weights(model), folder / MODEL_NAME)
            save_tensors(_optimizer_tensors(model, optimizer), folder / OPTIMIZER_NAME)
            for rank, state in enumerate(randomness):
                write_json(folder / f"random-{rank}.json", state)
            write_json(folder / STATE_NAME, asdict(progress))
    except (OSError, SafetensorError) as error:
        raise _disk_error(error, target) from error
    for older in folders(checkpoints)[:-1]:
        shutil.rmtree(older)
    return target


def save_best(checkpoints: Path, model: nn.Module, metrics: dict[str, float], step: int) -> None:
    """Save `model` as `checkpoints/best`, with its metrics."""
    target = checkpoints / "best"
    try:
        with new_folder(target) as folder:
            save_tensors(weights(model), folder / MODEL_NAME)
            write_json(folder / STATE_NAME, {"step": step, "metrics": metrics})
    except (OSError, SafetensorError) as error:
        raise _disk_error(error, target) from error


def folders(checkpoints: Path) -> list[Path]:
    """Folders of the complete step checkpoints, oldest first."""
    found = [p for p in checkpoints.glob("step-*") if STEP_FOLDER.fullmatch(p.name)]
    return sorted(p for p in found if (p / STATE_NAME).is_file())


def restore(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, rank: int,
    num_processes: int,
) -> Progress:  # fmt: skip
    """Restore model, optimizer and the random states of process `rank` from `folder`.

    InputError when the number of processes differs, because that changes the batch size.
    """
    before = len(list(folder.glob("random-*.json")))
    if before != num_processes:
        raise InputError(
            f"{folder}: saved by {before} processes, resumed by {num_processes}; resume with "
            f"{before} processes"
        )
    load_weights(model, folder / MODEL_NAME)
    _load_optimizer(model, optimizer, load_file(folder / OPTIMIZER_NAME))
    restore_randomness(read_json(folder / f"random-{rank}.json"))
    return Progress(**read_json(folder / STATE_NAME))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, on the CPU; the head tied to the token table is left out."""
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if not _is_tied(name)
    }


def _is_tied(name: str) -> bool:
    """True for the head's weight and scale, shared with the token table and stored there."""
    return HEAD in name.split(".")


def load_weights(model: nn.Module, path: Path) -> None:
    """Load the tensors of `path` into `model`; InputError unless names and shapes match."""
    saved, own = load_file(path), model.state_dict()
    shapes = {name: tensor.shape for name, tensor in saved.items()}
    expected = {n: tensor.shape for n, tensor in own.items() if not _is_tied(n)}
    wrong = [n for n in expected | shapes if expected.get(n) != shapes.get(n)]
    if wrong:
        raise InputError(f"{path}: not of this model (tensor {wrong[0]!r})")
    model.load_state_dict(saved, strict=False)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file and flush it to disk, so that it can safely be renamed."""
    save_file(tensors, path)
    make_ordinary(path)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def randomness() -> dict[str, Any]:
    """The states of Python's, numpy's and torch's generators of this process, as JSON."""
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    inner = numpy_state["state"]
    return {
        "python": random.getstate(),
        "numpy": numpy_state | {"state": {"key": inner["key"].tolist(), "pos": inner["pos"]}},
        "torch": _encode(torch.get_rng_state()),
        "cuda": [_encode(state) for state in torch.cuda.get_rng_state_all()]
        if torch.cuda.is_available()
        else [],
    }


def restore_randomness(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    inner = state["numpy"]["state"]
    key = np.asarray(inner["key"], np.uint32)
    np.random.set_state(state["numpy"] | {"state": {"key": key, "pos": inner["pos"]}})
    torch.set_rng_state(_decode(state["torch"]))
    if state["cuda"]:
        torch.cuda.set_rng_state_all([_decode(text) for text in state["cuda"]])


def _encode(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _decode(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}|{key}": torch.as_tensor(value).detach().cpu().contiguous()
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def _load_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    parameters = dict(model.named_parameters())
    for full_name, tensor in tensors.items():
        name, key = full_name.split("|")
        parameter = parameters[name]
        # Adam keeps its step count on the CPU, whatever the parameter's device.
        optimizer.state[parameter][key] = (
            tensor if tensor.dim() == 0 else tensor.to(parameter.device)
        )


def _disk_error(error: Exception, target: Path) -> Exception:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or any(word in str(error) for word in ("No space left", "File too large")):
        return InputError(
            f"{target}: disk full; the previous checkpoint is whole: free some space and run "
            "the same command again"
        )
    return error
