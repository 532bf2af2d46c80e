"""Measure the speed of one kind of training: a few optimizer steps in a separate process.

It runs the loop of `train_qat` itself, without preflight and validation, so that time and peak
memory are those of training. The first steps include allocation and the workers' start; they are
not timed.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from torch import nn

from whisper_qat.errors import InputError
from whisper_qat.measure.peak_memory import peak_rss_bytes
from whisper_qat.runs.setting_groups import changed, flat
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.tasks.train.parts import load, make_accelerator, make_loop
from whisper_qat.train import flops
from whisper_qat.train.flops import WhisperSize
from whisper_qat.train.loop import Loop
from whisper_qat.train.objective import Objective

WARM_UP = 2


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Measurements of the timed steps; lists have one entry per step."""

    seconds: list[float]
    waited_s: list[float]
    clips: list[int]
    audio_s: list[float]
    model_flops: list[int]
    peak_bytes: int
    losses: list[float]


def measure(config: TrainConfig, steps: int) -> Speed:
    """Train `WARM_UP + steps` optimizer steps of `config` without saving anything."""
    per_step = config.schedule.per_device_batch_size * config.schedule.gradient_accumulation_steps
    needed = (WARM_UP + steps) * per_step
    with tempfile.TemporaryDirectory(prefix="train-speed-") as scratch:
        # Draws `needed` clips once; steps beyond the data's end would need more epochs.
        config = changed(
            config, output_dir=scratch, max_samples=needed, max_eval_samples=1, num_epochs=1
        )
        accelerator, _ = make_accelerator(config)
        folder = Path(scratch)
        parts = load(config, folder, accelerator)
        loop = make_loop(config, folder, accelerator, parts)
        if loop.total < WARM_UP + steps:
            raise InputError(
                f"{config.data.train_data}: {len(parts.selection.train)} clips for training make "
                f"{loop.total} steps; {WARM_UP + steps} steps of {per_step} need {needed} clips"
            )
        loop.keep_nothing()
        set_seed(config.schedule.seed)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        return _run(loop, config)


def _run(loop: Loop, config: TrainConfig) -> Speed:
    seen = _Seen(loop.student, WhisperSize.of(loop.bare.get_submodule("model").config), config)
    per_step: list[dict[str, float]] = []
    work: list[dict[str, Any]] = []

    def report(metrics: dict[str, float]) -> None:
        per_step.append(metrics)
        work.append(seen.take())

    try:
        loop.run(report)
    finally:
        loop.history.close()
    counted, work = per_step[WARM_UP:], work[WARM_UP:]
    return Speed(
        seconds=[m["seconds"] for m in counted], waited_s=[m["waited_s"] for m in counted],
        losses=[m["loss"] for m in counted], clips=[w["clips"] for w in work],
        audio_s=[w["audio_s"] for w in work], model_flops=[w["flops"] for w in work],
        peak_bytes=_peak(),
    )  # fmt: skip


class _Seen:
    """Counts the clips, audio and model FLOPs that the student processes between two steps."""

    def __init__(self, student: nn.Module, shape: WhisperSize, config: TrainConfig) -> None:
        self.shape, self.config = shape, config
        self.has_teacher = Objective.of(flat(config)).needs_teacher
        self._reset()
        student.register_forward_pre_hook(self._add)

    def _reset(self) -> None:
        self._work = {"clips": 0, "audio_s": 0.0, "flops": 0}

    def _add(self, student: nn.Module, inputs: tuple[Any, ...]) -> None:
        mel, tokens = inputs
        clips, frames = len(mel), mel.shape[-1]
        teacher = None
        if self.has_teacher:
            teacher = 3000 if self.config.context.teacher_context == "full" else frames
        one = flops.training_step(self.shape, frames, tokens.shape[1], teacher_frames=teacher)
        self._work["clips"] += clips
        self._work["audio_s"] += clips * frames / 100
        self._work["flops"] += clips * one

    def take(self) -> dict[str, Any]:
        work = self._work
        self._reset()
        return work


def _peak() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_rss_bytes()


def matmul_peak(dtype: torch.dtype, size: int = 8192, repeats: int = 10) -> float:
    """FLOP/s of one large matrix product on the GPU, an upper bound for training."""
    a, b = (torch.randn(size, size, device="cuda", dtype=dtype) for _ in range(2))
    a @ b
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        a @ b
    end.record()
    torch.cuda.synchronize()
    return 2 * size**3 * repeats / (start.elapsed_time(end) / 1000)
