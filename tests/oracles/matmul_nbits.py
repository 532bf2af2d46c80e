"""Numpy oracle of com.microsoft MatMulNBits (accuracy_level 4) and of ORT's weight rounding.

Written from the kernel's behaviour as measured with onnxruntime 1.31.1, block by block and without
looking at the torch code, so that three parties can be compared.
"""

import numpy as np


def round_to_nearest(weight, bits, block_size, scale_dtype="float32"):
    """ORT's quantize_matmul_{4,8}bits, symmetric: (codes [N, blocks*block], scale [N, blocks]).

    With float16 scales the codes are those of the rounded scale.
    """
    half = 2 ** (bits - 1)
    padding = -weight.shape[1] % block_size
    parts = np.pad(weight, ((0, 0), (0, padding))).reshape(weight.shape[0], -1, block_size)
    low, high = parts.min(-1), parts.max(-1)
    scale = (np.where(high > -low, high, low) / np.float32(-half)).astype(np.float32)
    scale = scale.astype(scale_dtype).astype(np.float32)
    with np.errstate(divide="ignore"):
        reciprocal = np.where(scale == 0, np.float32(0), np.float32(1) / scale)
    value = parts * reciprocal[..., None] + np.float32(half)
    whole = np.trunc(value)
    away = whole + np.copysign(np.abs(value - whole) >= 0.5, value)
    codes = np.clip(away, 0, 2 * half - 1).astype(np.uint8)
    return codes.reshape(weight.shape[0], -1), scale


def quantize_activation(x, block_size):
    """int8 codes [M, blocks*block] and scale [M, blocks] of the level-4 activation."""
    padding = -x.shape[1] % block_size
    parts = np.pad(x, ((0, 0), (0, padding))).reshape(x.shape[0], -1, block_size)
    amax = np.abs(parts).max(-1)
    with np.errstate(divide="ignore"):
        multiplier = np.where(amax == 0, np.float32(0), np.float32(127) / amax)
    codes = np.rint(parts * multiplier[..., None]).astype(np.int8)
    return codes.reshape(x.shape[0], -1), (amax / np.float32(127)).astype(np.float32)


def matmul(x, codes, scale, bits, block_size):
    """y [M, N] of x [M, K] by the stored codes; blocks are summed in float64."""
    activation, activation_scale = quantize_activation(x, block_size)
    a = activation.reshape(len(x), -1, block_size).astype(np.int64)
    b = codes.reshape(len(codes), -1, block_size).astype(np.int64) - 2 ** (bits - 1)
    products = np.einsum("mbk,nbk->mnb", a, b).astype(np.float64)
    return (products * activation_scale[:, None].astype(np.float64) * scale[None]).sum(-1)
