"""Packing: codes as the bytes that `MatMulNBits` stores, lowest bits first."""

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import BlockScheme


def pack(codes: NDArray[np.uint8], scheme: BlockScheme) -> NDArray[np.uint8]:
    """Codes [N, blocks*block] -> bytes [N, blocks, block*bits/8]."""
    assert codes.dtype == np.uint8 and codes.shape[1] % scheme.block_size == 0
    per_byte = 8 // scheme.bits
    parts = codes.reshape(codes.shape[0], -1, scheme.block_size // per_byte, per_byte)
    packed = parts[..., 0].copy()
    for i in range(1, per_byte):
        packed |= np.left_shift(parts[..., i], i * scheme.bits, dtype=np.uint8)
    return packed


def unpack(packed: NDArray[np.uint8], scheme: BlockScheme) -> NDArray[np.uint8]:
    """Bytes [N, blocks, block*bits/8] -> codes [N, blocks*block]."""
    shifts = np.arange(0, 8, scheme.bits, dtype=np.uint8)
    codes = np.right_shift(packed[..., None], shifts) & np.uint8(scheme.max_code)
    return codes.reshape(packed.shape[0], -1)
