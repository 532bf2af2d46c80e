"""Mixed precision: the dtype of the matrix products; parameters, codes and scales are float32.

bf16 parameters would not change at a learning rate of 5e-6 (their spacing near 0.05 is 2e-4), so
only the products use it.
"""

import time

import torch

from whisper_qat.errors import InputError

SLOWER = 1.2  # below it, the difference is within the noise of so short a measurement
PRODUCT = 768  # rows and columns: 0.9 GFLOP, milliseconds in float32
REPEATS = 4
CHOICES = ("auto", "no", "bf16", "fp16")


def resolve(choice: str) -> tuple[str, str]:
    """Choose accelerate's mixed_precision for this machine; returns it and the reason in words."""
    if choice not in CHOICES:
        raise InputError(f"mixed_precision={choice!r}: expected one of {', '.join(CHOICES)}")
    has_gpu = torch.cuda.is_available()
    if choice != "auto":
        if choice == "fp16" and not has_gpu:
            raise InputError("mixed_precision='fp16': needs a GPU; use 'no' or 'bf16' on a CPU")
        if choice == "bf16" and has_gpu and not native_bf16():
            raise InputError("mixed_precision='bf16': this GPU has no bf16; use 'fp16' or 'no'")
        return choice, f"matrix products in {_name(choice)}, as asked"
    if not has_gpu:
        return "no", "matrix products in float32 (no GPU)"
    if native_bf16():
        return "bf16", "matrix products in bf16 (the GPU has it)"
    return "fp16", "matrix products in fp16 with loss scaling (the GPU has no bf16)"


def native_bf16() -> bool:
    """True when the GPU computes bf16 in hardware (compute capability 8.0); V100 emulates it."""
    return torch.cuda.get_device_capability()[0] >= 8


def cpu_warning(mode: str) -> str | None:
    """Say, measured, how much slower than float32 bf16 is on a CPU that has no bf16 products.

    None for another mode, on a GPU, and where bf16 is at most `SLOWER` times as slow.
    """
    if mode != "bf16" or torch.cuda.is_available():
        return None
    ratio = bf16_over_float32()
    if ratio <= SLOWER:
        return None
    return (
        f"mixed_precision=bf16: a product in bf16 takes {ratio:.1f} times as long as in float32 on "
        "this CPU; --mixed_precision no trains faster"
    )


def bf16_over_float32() -> float:
    """Time of a matrix product in bf16 over that in float32 on this CPU, both timed in turn."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    operands = {dtype: torch.ones(PRODUCT, PRODUCT, dtype=dtype) for dtype in times}
    for _ in range(REPEATS):
        for dtype, x in operands.items():
            began = time.perf_counter()
            torch.mm(x, x)
            times[dtype].append(time.perf_counter() - began)
    fastest = {dtype: min(taken) for dtype, taken in times.items()}
    return fastest[torch.bfloat16] / fastest[torch.float32]


def _name(choice: str) -> str:
    return "float32" if choice == "no" else choice
