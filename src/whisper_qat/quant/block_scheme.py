"""Block schemes: integers of 2, 4 or 8 bits with one scale per block, and their packed storage.

`MatMulNBits` takes codes as uint8 [N, blocks, bytes], lowest bits first.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.scheme import Scheme

if TYPE_CHECKING:
    from torch import Tensor

BITS = (2, 4, 8)
BLOCK_SIZES = (16, 32, 64, 128, 256)
BLOCK_SIZES_2_BITS = (32, 64, 128)
SCALE_DTYPES = ("float32", "float16")
F16_SUFFIX = "-f16"
MAX_FLOAT16 = 65504.0  # float16's largest finite value
PACKED_DTYPE = np.uint8


@dataclass(frozen=True)
class BlockScheme:
    """Symmetric integers with one float scale per block of `block_size` weights along K.

    The arithmetic is ONNX Runtime's `MatMulNBits` with accuracy_level 4: activations are int8 per
    row and block of the same size, accumulation is int32 within a block and float32 across blocks.
    Scales are float32 in the kernel; with `scale_dtype` float16 every scale is a float16 value, so
    that two bytes store it exactly.
    """

    bits: int = 8
    block_size: int = 32
    scale_dtype: str = "float32"
    has_lookup: ClassVar[bool] = True
    scales_share_channel: ClassVar[bool] = False
    largest_int8: ClassVar[int] = 0  # MatMulNBits widens codes itself
    codes_depend_on_call: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ValueError(f"bits={self.bits}: MatMulNBits level 4 is supported for {BITS}")
        if self.block_size not in BLOCK_SIZES:
            raise ValueError(f"block_size={self.block_size}: must be one of {BLOCK_SIZES}")
        if self.bits == 2 and self.block_size not in BLOCK_SIZES_2_BITS:
            raise ValueError(
                f"block_size={self.block_size}: with 2 bits one of {BLOCK_SIZES_2_BITS}; "
                "onnxruntime computes others with float activations"
            )
        if self.scale_dtype not in SCALE_DTYPES:
            raise ValueError(f"scale_dtype={self.scale_dtype!r}: must be one of {SCALE_DTYPES}")

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a name like `block-int8-32-f16`; None for another kind of name."""
        match = re.fullmatch(rf"block-int(\d+)-(\d+)({F16_SUFFIX})?", name)
        if match is None:
            return None
        dtype = "float16" if match[3] else "float32"
        return cls(bits=int(match[1]), block_size=int(match[2]), scale_dtype=dtype)

    @property
    def name(self) -> str:
        suffix = F16_SUFFIX if self.scale_dtype == "float16" else ""
        return f"block-int{self.bits}-{self.block_size}{suffix}"

    @property
    def zero_point(self) -> int:
        """The stored code of 0.0: 2^(bits-1), implicit in the kernel."""
        return 2 ** (self.bits - 1)

    @property
    def min_code(self) -> int:
        return 0

    @property
    def max_code(self) -> int:
        return 2**self.bits - 1

    def block_length(self, in_features: int) -> int:
        return self.block_size

    def num_blocks(self, in_features: int) -> int:
        return -(-in_features // self.block_size)

    def storable(self, scale: "Tensor") -> "Tensor":
        """Round `scale` to the nearest finite values of `scale_dtype`, as float32."""
        if self.scale_dtype == "float32":
            return scale
        return scale.clamp(-MAX_FLOAT16, MAX_FLOAT16).half().float()

    def with_bits(self, bits: int) -> "BlockScheme":
        return replace(self, bits=bits)


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8]:
    """Pack codes [N, blocks*block] into bytes, uint8 [N, blocks, block*bits/8]."""
    assert scheme.block_size is not None
    assert codes.dtype == np.uint8 and codes.shape[1] % scheme.block_size == 0
    per_byte = 8 // scheme.bits
    parts = codes.reshape(codes.shape[0], -1, scheme.block_size // per_byte, per_byte)
    packed = parts[..., 0].copy()
    for i in range(1, per_byte):
        packed |= np.left_shift(parts[..., i], i * scheme.bits, dtype=np.uint8)
    return packed


def unpack(packed: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8]:
    """Unpack bytes into codes [N, blocks*block]; the inverse of `pack`."""
    shifts = np.arange(0, 8, scheme.bits, dtype=np.uint8)
    mask = np.uint8(2**scheme.bits - 1)
    codes: NDArray[np.uint8] = np.right_shift(packed[..., None], shifts) & mask
    return codes.reshape(packed.shape[0], -1)


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    assert scheme.block_size is not None
    return rows, scheme.num_blocks(in_features), scheme.block_size * scheme.bits // 8


def pack_scales(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scales [N, blocks] as the kernel takes them, which is unchanged."""
    return scales


def scale_bytes(rows: int, in_features: int, scheme: Scheme) -> int:
    """Bytes that the scales of a weight [rows, in_features] take."""
    return rows * scheme.num_blocks(in_features) * np.dtype(scheme.scale_dtype).itemsize
