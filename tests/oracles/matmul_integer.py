"""Numpy oracle of ONNX MatMulInteger and of DynamicQuantizeMatMul, which ORT fuses from it."""

import numpy as np

from tests.oracles.dynamic_quantize_linear import dynamic_quantize_linear


def matmul_integer(a, b, a_zero_point, b_zero_point):
    """int32 [M, N] of a [M, K] uint8 and b [K, N] (u)int8."""
    left = a.astype(np.int64) - np.int64(a_zero_point)
    right = b.astype(np.int64) - np.asarray(b_zero_point, np.int64)
    return (left @ right).astype(np.int32)


def dynamic_quantize_matmul(x, b, b_scale, b_zero_point, bias):
    """float32 [M, N]: the int32 sum cast to float32, times (scale_a * scale_b) formed first."""
    codes, scale, zero_point = dynamic_quantize_linear(x)
    total = matmul_integer(codes, b, zero_point, b_zero_point)
    return total.astype(np.float32) * (scale * b_scale).astype(np.float32) + bias
