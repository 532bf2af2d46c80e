"""Mixed precision: the dtype of the matrix products; parameters, codes and scales are float32.

bf16 parameters would not change at a learning rate of 5e-6 (their spacing near 0.05 is 2e-4), so
only the products use it.
"""

import torch

from whisper_qat.errors import InputError

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


def _name(choice: str) -> str:
    return "float32" if choice == "no" else choice
