"""Profile a training step on a GPU: kernels by time and by number of launches.

    python study/profile_training_step.py --base_model V02 --train_data data/telephone-fr \
        --quantization_type int8 --audio_context full

The step is that of `scripts/benchmark_train.py`: the loop of `train_qat` without validation and
checkpoints. Two steps warm up, one is recorded.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from whisper_qat.runs.setting_groups import build
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.tasks.train.parts import load, make_accelerator, make_loop

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base_model", required=True)
    parser.add_argument("--train_data", required=True)
    parser.add_argument("--quantization_type", default="int8")
    parser.add_argument("--audio_context", default="full")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rows", type=int, default=25)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config = build(TrainConfig, dict(
            base_model=words.base_model, train_data=words.train_data, output_dir=scratch,
            quantization_type=words.quantization_type, audio_context=words.audio_context,
            per_device_batch_size=words.batch, gradient_accumulation_steps=2, num_epochs=1,
            max_samples=2 * words.batch * (WARM_UP + 1), max_eval_samples=1, num_workers=4,
            scales="rule" if words.quantization_type == "none" else "learned",
        ))  # fmt: skip
        accelerator, why = make_accelerator(config)
        loop = make_loop(
            config, Path(scratch), accelerator, load(config, Path(scratch), accelerator)
        )
        loop.keep_nothing()
        recorder = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
        report = Report(recorder)
        loop.run(report)
    print(f"{words.quantization_type}, {words.audio_context} context, batch {words.batch}; {why}")
    events = recorder.key_averages()
    kernels = [e for e in events if e.device_type == torch.autograd.DeviceType.CUDA]
    total = sum(e.self_device_time_total for e in kernels)
    print(f"{sum(e.count for e in kernels)} launches, {total / 1e6:.3f} s of kernels in one step")
    for event in sorted(kernels, key=lambda e: -e.self_device_time_total)[: words.rows]:
        share = event.self_device_time_total / total
        print(f"{share:6.1%} {event.count:6d} x {event.key[:110]}")


class Report:
    """Starts the recorder before the last step and stops it after that."""

    def __init__(self, recorder: profile) -> None:
        self.recorder = recorder
        self.steps = 0

    def __call__(self, metrics: dict[str, float]) -> None:
        torch.cuda.synchronize()
        self.steps += 1
        if self.steps == WARM_UP:
            self.recorder.start()
        elif self.steps == WARM_UP + 1:
            self.recorder.stop()
            print(f"step of {metrics['seconds']:.3f} s, profiler included")


if __name__ == "__main__":
    main()
