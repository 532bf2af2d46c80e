"""float16 storage of what stays float: the values that two bytes hold, used already in training.

There is nothing to choose, and `quantize` gives the stored float16 values: the verbs of
the integer schemes, for a format without codes. Values beyond float16's range are an error of the
caller: Whisper's weights are below 100.
"""

import torch
from torch import Tensor

from whisper_qat.quant.straight_through import straight_through


def quantize(weight: Tensor) -> Tensor:
    """`weight` as float16, halves to even."""
    return weight.detach().to(torch.float16)


def dequantize(stored: Tensor) -> Tensor:
    """float32, exact."""
    return stored.to(torch.float32)


def fake_quantize(weight: Tensor) -> Tensor:
    """`weight` with float16's values, float32; straight-through gradient (identity)."""
    return straight_through(weight, lambda weight: dequantize(quantize(weight)))
