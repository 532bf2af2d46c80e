"""Channel schemes: int8 weights with one scale per output channel, and their packed storage.

The kernels take codes as int8 [K, N], with the zero point subtracted: onnxruntime multiplies
u8 x s8 with VNNI, but u8 x u8 by widening, which is 2.5 times slower.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

PACKED_DTYPE = np.int8
ROW_LARGEST = {8: 127, 7: 64}  # bits of a weight -> largest magnitude of its code


@dataclass(frozen=True)
class ChannelScheme(ABC):
    """Symmetric int8 weights with one float32 scale per output channel; activations in 8 bits.

    Each row is one block of length K, so the scale is [N, 1]; accumulation is int32 over all of K.
    Codes are symmetric around 128, unsigned like those of block schemes; the files hold them
    signed, -`largest_int8` .. `largest_int8`.
    """

    bits: ClassVar[int] = 8
    zero_point: ClassVar[int] = 128
    block_size: ClassVar[int | None] = None
    scale_dtype: ClassVar[str] = "float32"
    has_lookup: ClassVar[bool] = False
    scales_share_channel: ClassVar[bool] = False
    codes_depend_on_call: ClassVar[bool]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        return cls() if name == cls().name else None

    @property
    @abstractmethod
    def name(self) -> str:
        """See `Scheme`."""

    @property
    def largest_int8(self) -> int:
        return 127

    @property
    def min_code(self) -> int:
        return self.zero_point - self.largest_int8

    @property
    def max_code(self) -> int:
        return self.zero_point + self.largest_int8

    def block_length(self, in_features: int) -> int:
        """Number of weights that share one scale: a whole row."""
        return in_features

    def num_blocks(self, in_features: int) -> int:
        return 1

    def storable(self, scale: "Tensor") -> "Tensor":
        return scale

    def with_bits(self, bits: int) -> None:
        return None


@dataclass(frozen=True)
class DynamicScheme(ChannelScheme):
    """ONNX Runtime's `DynamicQuantizeMatMul`: one asymmetric activation range per kernel call."""

    codes_depend_on_call: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "int8-dynamic"


@dataclass(frozen=True)
class RowScheme(ChannelScheme):
    """One symmetric activation scale per row: codes depend on no other row of the call.

    No single operator does this; it takes `QuantizeLinear` with a scale per row,
    `MatMulIntegerToFloat` and a product with that scale.

    With `weight_bits` 7 (int7-row) the weights are -64 .. 64, stored as int8. An x64 CPU without
    VNNI adds two products u8 x s8 in int16: 255 * 64 * 2 = 32,640 fits there and 255 * 127 * 2 does
    not. So its fast kernel is exact for seven bits; eight need one that takes 1.3 times as long.
    """

    weight_bits: int = 8
    has_lookup: ClassVar[bool] = True
    codes_depend_on_call: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.weight_bits not in ROW_LARGEST:
            raise ValueError(f"weight_bits={self.weight_bits}: must be one of {(*ROW_LARGEST,)}")

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse `int8-row` or `int7-row`; None for any other name."""
        return next((cls(bits) for bits in ROW_LARGEST if cls(bits).name == name), None)

    @property
    def name(self) -> str:
        return f"int{self.weight_bits}-row"

    @property
    def largest_int8(self) -> int:
        return ROW_LARGEST[self.weight_bits]


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.int8]:
    """Pack codes [N, K] as int8 [K, N]."""
    return np.ascontiguousarray((codes.astype(np.int16) - scheme.zero_point).T, dtype=np.int8)


def unpack(packed: NDArray[np.int8], scheme: Scheme) -> NDArray[np.uint8]:
    """Unpack codes [N, K]; the inverse of `pack`."""
    return np.ascontiguousarray((packed.astype(np.int16) + scheme.zero_point).T, dtype=np.uint8)


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    return in_features, rows


def pack_scales(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reshape scales [N, 1] for the kernel: [N], one per column of the packed weight."""
    return scales.reshape(-1)


def scale_bytes(rows: int, in_features: int, scheme: Scheme) -> int:
    """Bytes that the scales of a weight [rows, in_features] take: one float32 per row."""
    return 4 * rows
