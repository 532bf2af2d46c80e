"""Schemes: the number formats to which a layer can be quantized, as values with unique names.

A scheme value holds a format's name, its block geometry and the properties that follow from its
arithmetic. It computes nothing on weights, so a plan can be read without torch, which is imported
for types only. The modules that implement a scheme are listed in its record (`quant.registry`).
"""

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor

FLOAT, FLOAT16 = "float", "float16"  # for layers that stay float, stored in four bytes or in two
UNQUANTIZED = (FLOAT, FLOAT16)


class Scheme(Protocol):
    """An integer format of a weight [N, K]; a frozen, hashable value.

    Codes are symmetric around a fixed `zero_point`, with one scale for a block of weights along K.
    """

    @property
    def name(self) -> str:
        """The scheme's unique name, which `parse` reads."""

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the scheme called `name`; None for a name of another class of schemes.

        ValueError for a name of this class with unsupported numbers.
        """

    @property
    def bits(self) -> int:
        """Number of bits of a stored code."""

    @property
    def zero_point(self) -> int:
        """The code that represents 0.0, as `quantize` gives it."""

    @property
    def min_code(self) -> int: ...

    @property
    def max_code(self) -> int: ...

    @property
    def largest_int8(self) -> int:
        """Largest magnitude of the int8 weights in its u8 x s8 product; 0 where it has none."""

    @property
    def block_size(self) -> int | None:
        """Number of weights along K that share a scale; None when a whole row does."""

    @property
    def scale_dtype(self) -> str:
        """The type of the scales in files, float32 or float16; computation always uses float32."""

    @property
    def scales_share_channel(self) -> bool:
        """Whether the scales of a row are stored relative to one another: none is chosen alone.

        Such a scheme's weight arithmetic has `share_channel`.
        """

    @property
    def has_lookup(self) -> bool:
        """Whether the runtime can look up rows, so that a token table can have this scheme."""

    @property
    def codes_depend_on_call(self) -> bool:
        """Whether the activation codes of a row depend on the other rows of its kernel call."""

    def block_length(self, in_features: int) -> int:
        """Number of weights along K = `in_features` that share one scale."""

    def num_blocks(self, in_features: int) -> int:
        """Number of blocks that cover K = `in_features`; the last may be partly padding."""

    def storable(self, scale: "Tensor") -> "Tensor":
        """Round `scale` to the nearest finite values that the scheme can store, as float32."""

    def with_bits(self, bits: int) -> "Scheme | None":
        """Return the same format with `bits`, for a curriculum; None if there is no such format."""
