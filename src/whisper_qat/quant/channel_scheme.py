"""Channel schemes: int8 with one scale per output channel, and their packed storage.

The kernels take codes as int8 [K, N], with the zero point subtracted: onnxruntime multiplies
u8 x s8 with VNNI, but u8 x u8 by widening, which is 2.5 times slower.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

PACKED_DTYPE = np.int8


@dataclass(frozen=True)
class ChannelScheme:
    """Symmetric int8 weights with one float32 scale per output channel; activations in 8 bits.

    Each row is one block of length K, so the scale is [N, 1]; accumulation is int32 over all of K.
    Codes are 1 .. 255 around 128, unsigned like those of block schemes; the files hold them signed.
    """

    bits: ClassVar[int] = 8
    zero_point: ClassVar[int] = 128
    min_code: ClassVar[int] = 1
    max_code: ClassVar[int] = 255
    block_size: ClassVar[int | None] = None
    scale_dtype: ClassVar[str] = "float32"
    has_lookup: ClassVar[bool] = False
    codes_depend_on_call: ClassVar[bool]
    name: ClassVar[str]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        return cls() if name == cls.name else None

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

    name: ClassVar[str] = "int8-dynamic"
    codes_depend_on_call: ClassVar[bool] = True


@dataclass(frozen=True)
class RowScheme(ChannelScheme):
    """One symmetric activation scale per row: codes depend on no other row of the call.

    No single operator does this; it takes `QuantizeLinear` with a scale per row,
    `MatMulIntegerToFloat` and a product with that scale.
    """

    name: ClassVar[str] = "int8-row"
    codes_depend_on_call: ClassVar[bool] = False


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
