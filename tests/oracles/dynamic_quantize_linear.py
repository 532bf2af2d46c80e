"""Numpy oracle of ONNX DynamicQuantizeLinear: uint8, asymmetric, one range for the whole tensor."""

import numpy as np


def dynamic_quantize_linear(x):
    """(codes uint8 of x's shape, scale f32, zero_point u8)."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    if high == low:
        return np.zeros(x.shape, np.uint8), np.float32(1), np.uint8(0)
    scale = np.float32((high - low) / np.float32(255))
    zero_point = np.uint8(np.rint(np.clip(-low / scale, 0, 255)))
    # Rounded before the zero point is added: rint(x / scale + zero_point) is wrong on ties.
    codes = np.clip(np.rint(x / scale) + np.float32(zero_point), 0, 255)
    return codes.astype(np.uint8), scale, zero_point
