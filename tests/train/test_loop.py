"""The loop: it learns, resumes bit for bit, agrees across processes, and stops in words."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from tests.train.tiny_run import RandomExamples, make_loop, train
from whisper_qat.errors import InputError
from whisper_qat.model import forward
from whisper_qat.train import checkpoint, objective


def same(a, b):
    return a.keys() == b.keys() and all((a[n] == b[n]).all() for n in a)


@pytest.mark.parametrize("quantization_type", ["int8", "int4", "none"])
def test_loss_falls(tmp_path, quantization_type):
    losses, _ = train(tmp_path, quantization_type, num_epochs=12)
    assert len(losses) == 36
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_quantization_changes_the_losses(tmp_path):
    runs = {t: train(tmp_path / t, t)[0][0] for t in ("none", "int8", "int4")}
    assert 0 < abs(runs["int8"] - runs["none"]) < abs(runs["int4"] - runs["none"])


WAYS = {
    "plain": {}, "dropout": {"dropout": 0.3},
    "learned": {"quantization_type": "int4", "start": "least-squares"},
    "curriculum": {"quantization_type": "int2", "start": "ort", "stages": "float:0.2,int8:0.4"},
}  # fmt: skip


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("way", WAYS)
def test_resume_goes_on_bit_for_bit(tmp_path, stop_after, way):
    how = WAYS[way]
    expected_losses, expected = train(tmp_path / "whole", **how)

    class Killed(Exception):
        pass

    loop = make_loop(tmp_path / "killed", **how)

    def kill(metrics):
        if metrics["step"] == stop_after:
            raise Killed

    with pytest.raises(Killed):
        loop.run(kill)
    losses, weights = train(tmp_path / "killed", **how)
    assert same(weights, expected)
    assert losses == expected_losses[-len(losses) :]
    assert history_losses(tmp_path / "killed") == expected_losses


def test_learned_scales_move_at_their_own_rate(tmp_path):
    loop = make_loop(tmp_path, "int4", start="ort", scale_lr_ratio=0.0, weight_decay=0.1)
    before = {n: p.detach().clone() for n, p in loop.bare.named_parameters()}
    loop.run(lambda metrics: None)
    after = dict(loop.bare.named_parameters())
    scales = [n for n in before if n.endswith("weight_scale")]
    assert scales and all(torch.equal(before[n], after[n]) for n in scales)
    assert not any(torch.equal(before[n], after[n]) for n in before if n.endswith("fc1.weight"))
    _, moved = train(tmp_path / "moving", "int4", start="ort", scale_lr_ratio=1.0)
    assert not any(torch.equal(before[n], moved[n]) for n in scales)


def test_evaluation_is_in_float32_though_training_is_not(tmp_path):
    """accelerate's autocast sits in the forward of the model it is given."""
    seen = []
    mel, tokens = torch.randn(1, 8, 200), torch.tensor([[3, 4, 5]])

    def evaluate(model):
        with torch.no_grad():
            seen.append(model(mel, tokens)[0])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                seen.append(model(mel, tokens)[0].float())
        return {"eval_loss": 1.0}

    AcceleratorState._reset_state()  # one precision a process, and other tests came before
    try:
        loop = make_loop(tmp_path, "none", evaluate=evaluate, num_epochs=1, mixed_precision="bf16")
        loop.run(lambda metrics: None)
    finally:
        AcceleratorState._reset_state()
    plain = loop.bare.model
    encoded = forward.encode(plain, mel)
    expected = forward.decode(plain, tokens, forward.start(plain, encoded))
    assert torch.equal(seen[-2], expected.detach())
    assert not torch.equal(seen[-2], seen[-1])


def history_losses(folder):
    lines = [json.loads(text) for text in (folder / "history.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_resume_of_a_finished_run_does_no_step(tmp_path):
    train(tmp_path)
    losses, _ = train(tmp_path)
    assert losses == []


def test_interrupt_finishes_the_step_and_saves(tmp_path):
    loop = make_loop(tmp_path, save_steps=1000)

    def interrupt(metrics):
        if metrics["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="saved after step 3 of 6; run the same command"):
        loop.run(interrupt)
    assert [p.name for p in checkpoint.folders(tmp_path / "checkpoints")] == ["step-0000003"]


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    class Broken(RandomExamples):
        def __getitem__(self, index):
            example = super().__getitem__(index)
            if index == 7:
                example.mel[0, 0] = float("nan")
            return example

    with pytest.raises(InputError, match=r"step \d: loss is nan on batch .*clip-7.*lower learning"):
        make_loop(tmp_path, examples=Broken()).run(lambda metrics: None)


def test_out_of_memory_in_a_step_names_the_batch(tmp_path, monkeypatch):
    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(objective, "compute", fail)
    with pytest.raises(InputError, match=r"on batch clip-.*--per_device_batch_size 1 --grad.* 4 "):
        make_loop(tmp_path).run(lambda metrics: None)


def test_an_unreadable_clip_is_named(tmp_path):
    class Broken(RandomExamples):
        def __getitem__(self, index):
            return InputError("a.wav: truncated") if index == 7 else super().__getitem__(index)

    for num_workers in (0, 1):
        loop = make_loop(tmp_path, examples=Broken(), num_workers=num_workers)
        with pytest.raises(InputError, match="^a.wav: truncated$"):
            loop.run(lambda metrics: None)


def test_best_checkpoint_follows_the_evaluation(tmp_path):
    scores = iter([3.0, 1.0, 2.0, 2.0])
    loop = make_loop(tmp_path, evaluate=lambda model: {"eval_loss": next(scores)}, eval_steps=2)
    loop.run(lambda metrics: None)
    state = json.loads((tmp_path / "checkpoints/best/state.json").read_text())
    assert state == {"step": 4, "metrics": {"eval_loss": 1.0}}
    assert loop.progress.best_step == 4


def test_features_come_from_workers_with_the_same_result(tmp_path):
    here, _ = train(tmp_path / "0", num_workers=0)
    there, _ = train(tmp_path / "2", num_workers=2)
    assert here == there


def test_gradients_are_those_of_one_large_batch(tmp_path):
    """Token-weighted accumulation: 2 x 2 clips weigh tokens as 1 x 4 clips do."""
    small, _ = train(tmp_path / "small", "none", num_epochs=1)
    large, _ = train(
        tmp_path / "large", "none", num_epochs=1, per_device_batch_size=4,
        gradient_accumulation_steps=1,
    )  # fmt: skip
    assert len(small) == len(large) == 3


@pytest.mark.slow
@pytest.mark.parametrize("quantization_type", ["none", "int8"])
def test_two_processes_equal_twice_the_accumulation(tmp_path, quantization_type):
    expected, _ = train(tmp_path / "one", quantization_type, gradient_accumulation_steps=4)
    script = Path(__file__).with_name("two_processes.py")
    # --multi_gpu only means "several processes"; without a GPU accelerate runs them on the CPU.
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        str(script), str(tmp_path / "two"), quantization_type,
    ]  # fmt: skip
    root = Path(__file__).parents[2]
    # Two processes share no GPU: NCCL refuses them, so they run on the CPU wherever this runs.
    environment = os.environ | {
        "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)
    assert done.returncode == 0, done.stderr[-2000:]
    losses = torch.tensor(history_losses(tmp_path / "two"), dtype=torch.float64)
    difference = ((losses - torch.tensor(expected)) / losses).abs()
    # Another summation order flips codes on ties: 2e-2 in logits is the measured rounding floor.
    later = 1e-5 if quantization_type == "none" else 2e-2
    assert len(losses) == len(expected)
    assert difference[0] < 1e-5 and difference.max() < later
