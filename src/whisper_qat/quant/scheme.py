"""Schemes: the number formats a layer can be quantized to, as typed values with one spelling.

Knows torch by the name of a type only: inference reads schemes without loading it.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

FLOAT, FLOAT16 = "float", "float16"  # of a layer that stays float: stored in four bytes or in two
UNQUANTIZED = (FLOAT, FLOAT16)
BITS = (2, 4, 8)
BLOCK_SIZES = (16, 32, 64, 128, 256)
BLOCK_SIZES_2_BITS = (32, 64, 128)
SCALE_DTYPES = ("float32", "float16")
F16_SUFFIX = "-f16"
MAX_FLOAT16 = 65504.0  # float16's largest finite value


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

    @property
    def zero_point(self) -> int:
        """The stored code that means 0.0: 2^(bits-1), implicit in the kernel."""
        return 2 ** (self.bits - 1)

    @property
    def min_code(self) -> int:
        return 0

    @property
    def max_code(self) -> int:
        return 2**self.bits - 1

    @property
    def name(self) -> str:
        suffix = F16_SUFFIX if self.scale_dtype == "float16" else ""
        return f"block-int{self.bits}-{self.block_size}{suffix}"

    def block_length(self, in_features: int) -> int:
        """Weights along K = `in_features` that share one scale."""
        return self.block_size

    def num_blocks(self, in_features: int) -> int:
        """Blocks that cover K = `in_features`; the last one may be partly padding."""
        return -(-in_features // self.block_size)

    def storable(self, scale: "Tensor") -> "Tensor":
        """`scale` as the nearest finite values that `scale_dtype` stores, float32."""
        if self.scale_dtype == "float32":
            return scale
        return scale.clamp(-MAX_FLOAT16, MAX_FLOAT16).half().float()


@dataclass(frozen=True)
class ChannelScheme:
    """Symmetric int8 weights with one float32 scale per output channel; activations in 8 bits.

    A weight is one block as long as its K, so its scale is [N, 1]; accumulation is int32 over all
    of K. Codes are 1 .. 255 around 128, as those of blocks are; the files hold them signed.
    """

    bits: ClassVar[int] = 8
    zero_point: ClassVar[int] = 128
    min_code: ClassVar[int] = 1
    max_code: ClassVar[int] = 255
    scale_dtype: ClassVar[str] = "float32"
    name: ClassVar[str]

    def block_length(self, in_features: int) -> int:
        """Weights that share one scale: a whole row."""
        return in_features

    def num_blocks(self, in_features: int) -> int:
        return 1

    def storable(self, scale: "Tensor") -> "Tensor":
        return scale


@dataclass(frozen=True)
class DynamicScheme(ChannelScheme):
    """ONNX Runtime's `DynamicQuantizeMatMul`: one asymmetric activation range per kernel call."""

    name: ClassVar[str] = "int8-dynamic"


@dataclass(frozen=True)
class RowScheme(ChannelScheme):
    """One symmetric activation scale per row: codes depend on no other row of the call.

    No single operator does this: `QuantizeLinear` with a scale per row, `MatMulIntegerToFloat` and
    a product with that scale.
    """

    name: ClassVar[str] = "int8-row"


Scheme = BlockScheme | DynamicScheme | RowScheme
CHANNEL_SCHEMES = {scheme.name: scheme for scheme in (DynamicScheme(), RowScheme())}


def parse_scheme(name: str) -> Scheme:
    """The scheme that `name` spells, e.g. `block-int8-32-f16`; ValueError otherwise."""
    if name in CHANNEL_SCHEMES:
        return CHANNEL_SCHEMES[name]
    match = re.fullmatch(rf"block-int(\d+)-(\d+)({F16_SUFFIX})?", name)
    if match is None:
        raise ValueError(
            f"unknown scheme {name!r}: expected block-int<bits>-<block_size>[{F16_SUFFIX}] "
            f"or one of {', '.join(CHANNEL_SCHEMES)}"
        )
    dtype = "float16" if match[3] else "float32"
    return BlockScheme(bits=int(match[1]), block_size=int(match[2]), scale_dtype=dtype)
