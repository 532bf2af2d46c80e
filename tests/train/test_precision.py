"""Precision: what each machine gets, in words, and what is refused."""

import pytest
import torch

from whisper_qat.errors import InputError
from whisper_qat.train import precision


def machine(monkeypatch, capability):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)


@pytest.mark.parametrize(
    ("capability", "mode", "words"),
    [
        (None, "no", "float32 (no GPU)"),
        ((9, 0), "bf16", "bf16 (the GPU has it)"),
        ((8, 0), "bf16", "bf16 (the GPU has it)"),
        ((7, 0), "fp16", "fp16 with loss scaling (the GPU has no bf16)"),
    ],
    ids=["cpu", "h100", "a100", "v100"],
)
def test_auto(monkeypatch, capability, mode, words):
    machine(monkeypatch, capability)
    found, why = precision.resolve("auto")
    assert found == mode and words in why


def test_what_was_asked_for(monkeypatch):
    machine(monkeypatch, (7, 0))
    assert precision.resolve("no") == ("no", "matrix products in float32, as asked")
    assert precision.resolve("fp16")[0] == "fp16"
    with pytest.raises(
        InputError, match="mixed_precision='bf16': this GPU has no bf16; use 'fp16'"
    ):
        precision.resolve("bf16")
    machine(monkeypatch, None)
    assert precision.resolve("bf16")[0] == "bf16"
    with pytest.raises(InputError, match="mixed_precision='fp16': needs a GPU; use 'no' or 'bf16'"):
        precision.resolve("fp16")
    with pytest.raises(InputError, match="mixed_precision='fp8': expected one of auto, no, bf16"):
        precision.resolve("fp8")


@pytest.mark.parametrize(
    ("mode", "ratio", "capability", "warned"),
    [("bf16", 37.4, None, True), ("bf16", 0.6, None, False), ("bf16", 37.4, (8, 0), False),
     ("no", 37.4, None, False)],
)  # fmt: skip
def test_slow_bf16_on_a_cpu_is_said_with_its_ratio(monkeypatch, mode, ratio, capability, warned):
    machine(monkeypatch, capability)
    monkeypatch.setattr(precision, "bf16_over_float32", lambda: ratio)
    said = precision.cpu_warning(mode)
    assert (said is not None) == warned
    if warned:
        assert said == (
            "mixed_precision=bf16: a product in bf16 takes 37.4 times as long as in float32 on "
            "this CPU; --mixed_precision no trains faster"
        )


def test_the_ratio_is_that_of_the_fastest_of_both(monkeypatch):
    clock = iter(sorted(range(2 * 2 * precision.REPEATS)))
    monkeypatch.setattr(precision, "PRODUCT", 8)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: float(next(clock)))
    assert precision.bf16_over_float32() == 1.0
