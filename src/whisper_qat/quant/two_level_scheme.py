"""Two-level schemes: weights of 2, 3 or 4 bits that an 8-bit product reads as int8.

A weight is channel scale * block factor * code. The last two are small integers, and their product
lies in -64 .. 64: seven bits, which every x64 CPU multiplies exactly (see `RowScheme`). In the file
a weight takes its bits and a quarter of a bit for the factor. The runtime unpacks it to int8 when
it loads the model, so products have the speed and the memory of int8-row, whatever the width.

The code of a weight k of a block and the factor of the block are stored unsigned, in planes of bits
along K: for 4 bits, byte i of a column holds the codes of rows 2i (low bits) and 2i + 1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.channel_scheme import RowScheme
from whisper_qat.quant.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

PLANES = {4: (4,), 3: (2, 1), 2: (2,)}  # bits of a code -> widths of its planes, low bits first
FACTOR_BITS = 4
FACTOR_ZERO = 8  # added to a factor -8 .. 7 when it is stored
SMALLEST_FACTOR, LARGEST_FACTOR = -8, 7
SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)
PACKED_DTYPE = np.uint8


@dataclass(frozen=True)
class TwoLevelScheme:
    """Codes -2^(bits-1) .. 2^(bits-1) - 1, a factor -8 .. 7 per block of 16, a scale per channel.

    As for every scheme, a block has one scale, here channel scale * factor, float32 [N, blocks].
    Channel scales are bfloat16 values, so that scale * factor * code is exact in float32, in any
    order. Of each channel the largest block has the factor 7 or -8: the channel scale follows from
    the block scales, and the negative sign gives the code -2^(bits-1) to either extreme of a block.
    Activations have one scale per row.
    """

    bits: int = 4
    block_size: ClassVar[int | None] = 16
    scale_dtype: ClassVar[str] = "float32"
    has_lookup: ClassVar[bool] = False
    scales_share_channel: ClassVar[bool] = True
    codes_depend_on_call: ClassVar[bool] = False
    largest_int8: ClassVar[int] = 64
    min_code: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.bits not in PLANES:
            raise ValueError(f"bits={self.bits}: must be one of {(*PLANES,)}")

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse `int4-row`, `int3-row` or `int2-row`; None for any other name."""
        return next((cls(bits) for bits in PLANES if cls(bits).name == name), None)

    @property
    def name(self) -> str:
        return f"int{self.bits}-row"

    @property
    def zero_point(self) -> int:
        return 2 ** (self.bits - 1)

    @property
    def max_code(self) -> int:
        return 2**self.bits - 1

    def block_length(self, in_features: int) -> int:
        assert self.block_size is not None
        return self.block_size

    def num_blocks(self, in_features: int) -> int:
        return -(-in_features // self.block_length(in_features))

    def storable(self, scale: "Tensor") -> "Tensor":
        """Round `scale` [N, blocks] to channel scale * factor; storable scales stay as they are.

        A block scale other than 0 keeps a factor other than 0, so that it can be trained.
        """
        channel = channel_scale(scale)
        factor = (scale / channel.masked_fill(channel == 0, float("inf"))).round()
        factor = factor.masked_fill((factor == 0) & (scale > 0), 1)
        factor = factor.masked_fill((factor == 0) & (scale < 0), -1)
        return factor.clamp(SMALLEST_FACTOR, LARGEST_FACTOR) * channel

    def with_bits(self, bits: int) -> Scheme | None:
        """The two-level format of `bits`, or int8-row for 8 bits, which need no second level."""
        return RowScheme() if bits == RowScheme.bits else TwoLevelScheme(bits)


def channel_scale(scale: "Tensor") -> "Tensor":
    """Channel scale [N, 1] of block scales [N, blocks]: the largest gets the factor 7 or -8.

    It is 0 where it would be subnormal.
    """
    highest, lowest = scale.amax(-1, keepdim=True), scale.amin(-1, keepdim=True)
    # Tensor by tensor: on CUDA torch turns `highest / 7` into highest * (1 / 7).
    needed = (highest / highest.new_full((), LARGEST_FACTOR)).maximum(lowest / SMALLEST_FACTOR)
    rounded = needed.bfloat16().float()
    return rounded.masked_fill(rounded < SMALLEST_NORMAL, 0.0)


def split_scales(scales: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Split storable scales [N, blocks] into channel scales [N] and factors int8 [N, blocks]."""
    channel = np.maximum(scales.max(1) / np.float32(7), scales.min(1) / np.float32(-8))
    divisor = np.where(channel == 0, np.float32(1), channel)
    factors = np.rint(scales / divisor[:, None]).astype(np.int8)
    assert np.array_equal(factors * channel[:, None], scales), "not storable"
    return channel, factors


def pack_factors(factors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack factors [N, blocks] as uint8 [ceil(blocks / 2), N], two to a byte."""
    padded = np.pad(factors, ((0, 0), (0, factors.shape[1] % 2)))
    return pack_plane((padded.astype(np.int16) + FACTOR_ZERO).astype(np.uint8).T, FACTOR_BITS)


def unpack_factors(packed: NDArray[np.uint8], blocks: int) -> NDArray[np.int8]:
    """Unpack factors int8 [N, blocks]; the inverse of `pack_factors`."""
    stored = unpack_plane(packed, FACTOR_BITS).T[:, :blocks]
    return (stored.astype(np.int16) - FACTOR_ZERO).astype(np.int8)


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8]:
    """Pack codes [N, K'] (K' = blocks * 16) as planes of bits, uint8 [K' * bits / 8, N]."""
    planes, shift = [], 0
    for width in PLANES[scheme.bits]:
        part = np.right_shift(codes.T, shift, dtype=np.uint8) & np.uint8(2**width - 1)
        planes.append(pack_plane(part, width))
        shift += width
    return np.concatenate(planes)


def unpack(packed: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8]:
    """Unpack codes [N, K']; the inverse of `pack`."""
    length = packed.shape[0] * 8 // scheme.bits
    codes = np.zeros((length, packed.shape[1]), np.uint8)
    first, shift = 0, 0
    for width in PLANES[scheme.bits]:
        rows = length * width // 8
        codes |= unpack_plane(packed[first : first + rows], width) << np.uint8(shift)
        first, shift = first + rows, shift + width
    return np.ascontiguousarray(codes.T)


def pack_plane(values: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Pack values [K, N] below 2^`width` as uint8 [K * width / 8, N], lowest bits first."""
    per_byte = 8 // width
    parts = values.reshape(-1, per_byte, values.shape[1])
    shifts = np.arange(0, 8, width, dtype=np.uint8)[:, None]
    return np.bitwise_or.reduce(np.left_shift(parts, shifts, dtype=np.uint8), axis=1)


def unpack_plane(packed: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Unpack values [K, N]; the inverse of `pack_plane`."""
    shifts = np.arange(0, 8, width, dtype=np.uint8)[:, None]
    values: NDArray[np.uint8] = np.right_shift(packed[:, None], shifts) & np.uint8(2**width - 1)
    return values.reshape(-1, packed.shape[1])


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    length = scheme.num_blocks(in_features) * scheme.block_length(in_features)
    return length * scheme.bits // 8, rows


def pack_scales(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the channel scales [N]; the factors are stored beside them (`pack_factors`)."""
    return split_scales(scales)[0]


def scale_bytes(rows: int, in_features: int, scheme: Scheme) -> int:
    """Bytes that channel scales and factors of a weight [rows, in_features] take."""
    return rows * (4 + -(-scheme.num_blocks(in_features) // 2))
