"""Preflight before step 1: estimate the cost of a run, and detect early what would fail later.

The longest batch runs forward and backward; the model as it is before training rehearses plan ->
save -> convert -> load -> one clip; the disk space needed is compared with the free space.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.batches import MicroBatch
from whisper_qat.data.clips.selection import Selection
from whisper_qat.data.loader import Batch, iterate
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import write_onnx_folder
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.model.checkpoint.final import Final, load_final, save_final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.plan.plan import Plan
from whisper_qat.train import objective
from whisper_qat.train.loop import Loop
from whisper_qat.train.out_of_memory import out_of_memory

logger = logging.getLogger(__name__)
CHECKPOINT_COPIES = (
    8  # newest and the one being written: weights + 2 Adam moments each; best; final
)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """Inputs of the check; `rehearse` is off when a run that passed it before is resumed."""

    loop: Loop
    selection: Selection
    folder: Path
    base: Path
    plan: Plan | None
    info: Info
    language: str
    rehearse: bool


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of the whole run, extrapolated from its longest batch."""

    hours: float
    memory_bytes: int
    disk_bytes: int


def check(preflight: Preflight) -> Cost:
    """Report the run's size and cost; InputError when it cannot run on this machine."""
    loop, train = preflight.loop, preflight.selection.train
    hours = sum(clip.duration_s or 0.0 for clip in train) / 3600
    epochs = f"{loop.settings.num_epochs} epochs, {loop.total:,} steps"
    logger.info(f"preflight: {len(train):,} clips, {hours:.2f} h of audio, {epochs}")
    cost = _cost(preflight)
    memory, disk = cost.memory_bytes / 2**30, cost.disk_bytes / 2**30
    logger.info(f"preflight: about {_duration(cost.hours)} for training (validation not counted), "
                f"{memory:.1f} GiB of memory, {disk:.1f} GiB of disk")  # fmt: skip
    _check_disk(preflight.folder, cost.disk_bytes)
    if preflight.rehearse:
        logger.info(
            f"preflight: rehearsal plan -> convert -> load -> one clip: {rehearse(preflight)!r}"
        )
    return cost


def _cost(preflight: Preflight) -> Cost:
    loop = preflight.loop
    durations = loop.data.durations_s
    size = loop.settings.per_device_batch_size
    longest = tuple(sorted(range(len(durations)), key=lambda i: -durations[i])[:size])
    batch = next(iter(iterate(loop.data.examples, [MicroBatch(longest)], loop.data.collator, 0)))
    _forward_backward(loop, batch)  # the first call pays for allocation and thread start
    began = time.perf_counter()
    _forward_backward(loop, batch)
    seconds = time.perf_counter() - began
    share = _mean_frames(loop, durations) / batch.mel.shape[-1]
    batches = loop.settings.num_epochs * -(-len(durations) // size)
    weights = sum(p.numel() * 4 for p in loop.bare.parameters())
    return Cost(
        hours=seconds * share * batches / loop.accelerator.num_processes / 3600,
        memory_bytes=_memory() + 2 * weights,  # Adam's moments come with the first step
        disk_bytes=CHECKPOINT_COPIES * weights,
    )


def _mean_frames(loop: Loop, durations: Sequence[float]) -> float:
    context = loop.data.collator.context
    return sum(context.frames(int(d * SAMPLE_RATE)) for d in durations) / len(durations)


def _forward_backward(loop: Loop, batch: Batch) -> None:
    loop.student.train()
    try:
        moved = objective.to_device(batch, loop.accelerator.device)
        # Not through the wrapped student: its gradient exchange would wait for other processes.
        with loop.step_weights():
            with loop.accelerator.autocast():
                result = objective.compute(loop.bare, loop.teacher, moved, loop.settings.objective)
            result.total.backward()
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        settings = loop.settings
        size, accumulation = settings.per_device_batch_size, settings.gradient_accumulation_steps
        raise out_of_memory(error, batch, size, accumulation) or error from None
    finally:
        loop.optimizer.zero_grad(set_to_none=True)


def rehearse(preflight: Preflight) -> str:
    """Transcribe the shortest validation clip with the model before training, converted."""
    clip = min(preflight.selection.validation, key=lambda clip: clip.duration_s or 0.0)
    model = preflight.loop.bare.get_submodule("model")
    with tempfile.TemporaryDirectory(dir=preflight.folder) as scratch:
        final, onnx = Path(scratch) / "final", Path(scratch) / "onnx"
        save_final(
            model, final, plan=preflight.plan, info=preflight.info, companions=preflight.base
        )
        loaded: Final = load_final(final)
        write_onnx_folder(loaded, final, onnx, inputs={}, config=asdict(preflight.info))
        transcriber = Transcriber.from_folder(onnx, language=preflight.language)
        return transcriber.transcribe(read_audio(clip)).text


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder}: {free / 2**30:.1f} GiB of disk free, the run needs about "
            f"{needed / 2**30:.1f} GiB; free some or give another --output_dir"
        )


def _memory() -> int:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return psutil.Process().memory_info().rss


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
