"""Activation codes of int8-dynamic, read through `DynamicQuantizeMatMul` with identity weight."""

import numpy as np
from torch import Tensor

from whisper_qat.infer.kernels import dynamic_check
from whisper_qat.quant import dynamic_activation
from whisper_qat.quant.channel_scheme import DynamicScheme


def count_wrong(x: Tensor, scheme: DynamicScheme) -> int:
    """Number of codes of `x` [M, K] in one call that the kernel rounds differently from torch."""
    scale, zero_point = dynamic_activation.choose_params(x)
    codes = dynamic_activation.quantize(x, scale, zero_point)
    expected = dynamic_activation.dequantize(codes, scale, zero_point).numpy()
    seen = dynamic_check.run_kernel(x.numpy(), np.eye(x.shape[1], dtype=np.int8))
    return int((seen != expected).sum())  # a code minus its zero point, times the scale: exact


def count_moved(x: Tensor, scheme: DynamicScheme) -> int:
    """Always 0: the range is that of the call, so nothing is guaranteed for a row alone."""
    return 0
