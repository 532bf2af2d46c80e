"""Benchmark of training: step time, memory and waiting of float, int8 and int4, and the whole job.

Every kind of training runs the same steps on the same clips, each in a separate process, in
rounds, so that a slowdown of the machine affects all of them; ratios are computed step by step.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Literal

import torch

from whisper_qat.errors import InputError
from whisper_qat.report.benchmark.train_speed import show
from whisper_qat.runs.child_process import in_child
from whisper_qat.runs.folders import new_folder, write_json, write_manifest
from whisper_qat.runs.setting_groups import build
from whisper_qat.tasks.benchmark.train_speed import Speed, matmul_peak, measure
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.train import flops, precision

logger = logging.getLogger(__name__)
FLOAT = "none"


@dataclass(frozen=True, kw_only=True)
class BenchmarkTrainConfig:
    """Measure training: step time, samples per second, memory, time spent waiting for data.

    Args:
        base_model: float checkpoint to train: a folder or a Hub id
        train_data: speech whose train split the steps are taken from
        output_dir: folder for train_speed.json and its table
        quantization_types: kinds of training to compare; none is the float step, which the ratios
            refer to
        audio_contexts: lengths of the encoder input: full (30 s), dynamic, or both
        teacher: distil from the float checkpoint (one more forward pass per step)
        teacher_context: the teacher's encoder input: same (as the student's), or full (30 s)
        scales: scales of the quantized trainings: rule or learned
        steps: number of timed optimizer steps per round; two steps before them are not timed
        rounds: number of times that every kind of training runs, each with another draw of clips
        per_device_batch_size: clips per micro-batch
        gradient_accumulation_steps: micro-batches per optimizer step
        mixed_precision: precision of the matrix products: auto, no, bf16 or fp16
        num_workers: processes that compute features ahead
        seed: seed of the draw of clips
        job_clips: number of clips of the extrapolated job
        job_epochs: number of epochs of the extrapolated job
        job_clip_s: mean length of its clips in seconds; matters only for a dynamic audio context
        job_tokens: mean number of tokens of its texts, prompt included
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "training": (
            "base_model", "train_data", "quantization_types", "audio_contexts", "teacher",
            "teacher_context", "scales", "per_device_batch_size", "gradient_accumulation_steps",
            "mixed_precision", "num_workers", "seed",
        ),
        "measurement": ("steps", "rounds"),
        "extrapolated job": ("job_clips", "job_epochs", "job_clip_s", "job_tokens"),
        "output": ("output_dir",),
    }  # fmt: skip

    base_model: str = "data/whisper-base"
    train_data: str = "data/telephone-fr"
    output_dir: str = "outputs/benchmarks/train"
    quantization_types: list[Literal["none", "int8", "int4", "int3", "int2"]] = (  # type: ignore[assignment]
        "none", "int8", "int4",
    )  # fmt: skip
    audio_contexts: list[Literal["full", "dynamic"]] = ("full", "dynamic")  # type: ignore[assignment]
    teacher: bool = True
    teacher_context: Literal["same", "full"] = "same"
    scales: Literal["rule", "learned"] = "rule"
    steps: int = 6
    rounds: int = 2
    per_device_batch_size: int = 4
    gradient_accumulation_steps: int = 2
    mixed_precision: str = "auto"
    num_workers: int = 1
    seed: int = 0
    job_clips: int = 60_000
    job_epochs: int = 5
    job_clip_s: float = 5.5
    job_tokens: int = 32

    def __post_init__(self) -> None:
        for name in ("steps", "rounds", "job_clips", "job_epochs", "job_clip_s", "job_tokens"):
            if getattr(self, name) <= 0:
                raise InputError(f"--{name} {getattr(self, name)}: expected more than 0")
        if FLOAT not in self.quantization_types:
            raise InputError("--quantization_types: none (the float step) is what others are to")


def run(config: BenchmarkTrainConfig) -> None:
    """Measure every kind of training, print the table, write train_speed.json and a manifest."""
    found: dict[str, list[Speed]] = {}
    for number, name, training in _schedule(config):
        logger.info(f"round {number + 1} of {config.rounds}: {name}")
        found.setdefault(name, []).append(in_child(measure, training, config.steps))
    report = {"rows": _rows(found), "job": _job(config, found), "why": _why(config)}
    with new_folder(Path(config.output_dir)) as folder:
        write_json(folder / "train_speed.json", report)
        (folder / "train_speed.txt").write_text(show(report))
        write_manifest(
            folder, kind="training benchmark", inputs={"base_model": config.base_model},
            config=asdict(config),
            extra={"threads": torch.get_num_threads()},
        )  # fmt: skip


def _schedule(config: BenchmarkTrainConfig) -> Iterator[tuple[int, str, TrainConfig]]:
    for number in range(config.rounds):
        for context in config.audio_contexts:
            for kind in config.quantization_types:
                yield number, f"{kind} {context}", _training(config, kind, context, number)


def _training(config: BenchmarkTrainConfig, kind: str, context: str, number: int) -> TrainConfig:
    shared = (
        "base_model", "train_data", "teacher_context", "per_device_batch_size",
        "gradient_accumulation_steps", "mixed_precision", "num_workers",
    )  # fmt: skip
    own = {
        "quantization_type": kind,
        "audio_context": context,
        "kl_weight": 1.0 if config.teacher else 0.0,
        "scales": "rule" if kind == FLOAT else config.scales,
        "seed": config.seed + number,
    }
    return build(TrainConfig, {name: getattr(config, name) for name in shared} | own)


def _rows(found: dict[str, list[Speed]]) -> list[dict[str, Any]]:
    rows = []
    for name, rounds in found.items():
        kind, context = name.split()
        float_rounds = found[f"{FLOAT} {context}"]
        seconds, waited = _all(rounds, "seconds"), _all(rounds, "waited_s")
        elapsed = sum(seconds) + sum(waited)
        pairs = zip(seconds, _all(float_rounds, "seconds"), strict=True)
        peaks, float_peaks = ([s.peak_bytes for s in rs] for rs in (rounds, float_rounds))
        rows.append({
            "quantization_type": kind, "audio_context": context,
            "step_s": median(seconds), "to_float": median(a / b for a, b in pairs),
            "clips_per_s": sum(_all(rounds, "clips")) / elapsed,
            "waiting_share": sum(waited) / elapsed,
            "peak_bytes": max(peaks), "memory_to_float": max(peaks) / max(float_peaks),
            "model_flops_per_s": sum(_all(rounds, "model_flops")) / elapsed,
            "rounds": [asdict(speed) for speed in rounds],
        })  # fmt: skip
    return rows


def _all(rounds: list[Speed], name: str) -> list[Any]:
    return [value for speed in rounds for value in getattr(speed, name)]


def _job(config: BenchmarkTrainConfig, found: dict[str, list[Speed]]) -> list[dict[str, Any]]:
    """Hours of the job with v0.2's shape, at the model FLOP/s measured here, for each kind."""
    peak = _peak(config)
    job = []
    for row in _rows(found):
        dynamic = row["audio_context"] == "dynamic"
        frames = min(3000, round(100 * (config.job_clip_s + 3))) if dynamic else 3000
        teacher_frames = 3000 if config.teacher_context == "full" else frames
        per_clip = flops.training_step(
            flops.V02,
            frames,
            config.job_tokens,
            teacher_frames=teacher_frames if config.teacher else None,
        )
        total = per_clip * config.job_clips * config.job_epochs
        job.append({
            "quantization_type": row["quantization_type"], "audio_context": row["audio_context"],
            "frames": frames, "flops_per_clip": per_clip, "flops": total,
            "hours": total / row["model_flops_per_s"] / 3600, "matmul_peak": peak,
            "share_of_peak": None if peak is None else row["model_flops_per_s"] / peak,
        })  # fmt: skip
    return job


def _peak(config: BenchmarkTrainConfig) -> float | None:
    if not torch.cuda.is_available():
        return None
    dtypes = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return matmul_peak(dtypes[precision.resolve(config.mixed_precision)[0]])


def _why(config: BenchmarkTrainConfig) -> str:
    teacher = (
        f"with a teacher ({config.teacher_context} context)" if config.teacher else "no teacher"
    )
    return f"{precision.resolve(config.mixed_precision)[1]}; {teacher}; scales {config.scales}"
