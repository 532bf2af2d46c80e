"""Packing: codes as the bytes that `MatMulNBits` stores, low nibble first for 4 bits."""

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import BlockScheme


def pack(codes: NDArray[np.uint8], scheme: BlockScheme) -> NDArray[np.uint8]:
    """Codes [N, blocks*block] -> bytes [N, blocks, block*bits/8]."""
    assert codes.dtype == np.uint8 and codes.shape[1] % scheme.block_size == 0
    per_block = codes.reshape(codes.shape[0], -1, scheme.block_size)
    if scheme.bits == 8:
        return per_block
    high = np.left_shift(per_block[..., 1::2], 4, dtype=np.uint8)
    return np.bitwise_or(per_block[..., 0::2], high)


def unpack(packed: NDArray[np.uint8], scheme: BlockScheme) -> NDArray[np.uint8]:
    """Bytes [N, blocks, block*bits/8] -> codes [N, blocks*block]."""
    if scheme.bits == 8:
        return packed.reshape(packed.shape[0], -1)
    return np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(packed.shape[0], -1)
