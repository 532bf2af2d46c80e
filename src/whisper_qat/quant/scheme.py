"""Schemes: the number formats a layer can be quantized to, as typed values with one spelling."""

import re
from dataclasses import dataclass

BITS = (4, 8)
BLOCK_SIZES = (16, 32, 64, 128, 256)


@dataclass(frozen=True)
class BlockScheme:
    """Symmetric integers with one float scale per block of `block_size` weights along K.

    The arithmetic is ONNX Runtime's `MatMulNBits` with accuracy_level 4: activations are int8 per
    row and block of the same size, accumulation is int32 within a block and float32 across blocks.
    """

    bits: int = 8
    block_size: int = 32

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ValueError(f"bits={self.bits}: MatMulNBits level 4 is supported for {BITS}")
        if self.block_size not in BLOCK_SIZES:
            raise ValueError(f"block_size={self.block_size}: must be one of {BLOCK_SIZES}")

    @property
    def zero_point(self) -> int:
        """The stored code that means 0.0: 2^(bits-1), implicit in the kernel."""
        return 2 ** (self.bits - 1)

    @property
    def max_code(self) -> int:
        return 2**self.bits - 1

    @property
    def name(self) -> str:
        return f"block-int{self.bits}-{self.block_size}"

    def num_blocks(self, in_features: int) -> int:
        """Blocks that cover K = `in_features`; the last one may be partly padding."""
        return -(-in_features // self.block_size)


def parse_scheme(name: str) -> BlockScheme:
    """The scheme that `name` spells, e.g. `block-int8-32`; ValueError otherwise."""
    match = re.fullmatch(r"block-int(\d+)-(\d+)", name)
    if match is None:
        raise ValueError(f"unknown scheme {name!r}: expected block-int<bits>-<block_size>")
    return BlockScheme(bits=int(match[1]), block_size=int(match[2]))
