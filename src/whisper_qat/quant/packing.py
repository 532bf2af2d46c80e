"""Packing: codes as the bytes that a scheme's kernel stores.

`MatMulNBits` takes uint8 [N, blocks, bytes], lowest bits first; the other products take
int8 [K, N], codes less the zero point: onnxruntime multiplies u8 x s8 with VNNI, and u8 x u8 by
widening, 2.5 times slower.
"""

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import ChannelScheme, Scheme


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8] | NDArray[np.int8]:
    """Codes [N, blocks*block] -> uint8 [N, blocks, block*bits/8], int8 [K, N] per channel."""
    if isinstance(scheme, ChannelScheme):
        return np.ascontiguousarray((codes.astype(np.int16) - scheme.zero_point).T, dtype=np.int8)
    assert codes.dtype == np.uint8 and codes.shape[1] % scheme.block_size == 0
    per_byte = 8 // scheme.bits
    parts = codes.reshape(codes.shape[0], -1, scheme.block_size // per_byte, per_byte)
    packed = parts[..., 0].copy()
    for i in range(1, per_byte):
        packed |= np.left_shift(parts[..., i], i * scheme.bits, dtype=np.uint8)
    return packed


def unpack(packed: NDArray[np.uint8] | NDArray[np.int8], scheme: Scheme) -> NDArray[np.uint8]:
    """The inverse of `pack`: codes [N, blocks*block]."""
    if isinstance(scheme, ChannelScheme):
        return np.ascontiguousarray((packed.astype(np.int16) + scheme.zero_point).T, dtype=np.uint8)
    shifts = np.arange(0, 8, scheme.bits, dtype=np.uint8)
    codes: NDArray[np.uint8] = np.right_shift(packed[..., None], shifts) & np.uint8(scheme.max_code)
    return codes.reshape(packed.shape[0], -1)


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    if isinstance(scheme, ChannelScheme):
        return in_features, rows
    return rows, scheme.num_blocks(in_features), scheme.block_size * scheme.bits // 8
