"""float16 storage of float weights, which training already sees rounded to float16.

The functions are named as those of the integer schemes, but there are no parameters to choose and
no codes: `quantize` returns the stored float16 values. The caller must not pass values beyond
float16's range; Whisper's weights are below 100.
"""

import torch
from torch import Tensor

from whisper_qat.quant.straight_through import straight_through


def quantize(weight: Tensor) -> Tensor:
    """Round `weight` to float16, halves to even."""
    return weight.detach().to(torch.float16)


def dequantize(stored: Tensor) -> Tensor:
    """Convert the stored float16 values to float32, exactly."""
    return stored.to(torch.float32)


def fake_quantize(weight: Tensor) -> Tensor:
    """Round `weight` to float16, returned as float32; straight-through gradient (identity)."""
    return straight_through(weight, lambda weight: dequantize(quantize(weight)))
