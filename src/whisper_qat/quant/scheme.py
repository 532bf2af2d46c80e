"""What a scheme is: a number format that a layer can be quantized to, as a value with one spelling.

A scheme value holds identity, geometry and what follows from its arithmetic. It computes nothing
on weights, so a plan can be read without torch, whose name is needed for types only. What the parts
of the library do with a scheme stands in its record (`quant.registry`).
"""

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor

FLOAT, FLOAT16 = "float", "float16"  # of a layer that stays float: stored in four bytes or in two
UNQUANTIZED = (FLOAT, FLOAT16)


class Scheme(Protocol):
    """An integer format of a weight [N, K]; a frozen, hashable value.

    Codes are symmetric around a fixed `zero_point`, with one scale for a block of weights along K.
    """

    @property
    def name(self) -> str:
        """The one spelling, which `parse` reads."""

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The scheme that `name` spells; None for a name of another class of schemes.

        ValueError for a name of this class whose numbers are not supported.
        """

    @property
    def bits(self) -> int:
        """Bits of a stored code."""

    @property
    def zero_point(self) -> int:
        """The code, as `quantize` gives it, that means 0.0."""

    @property
    def min_code(self) -> int: ...

    @property
    def max_code(self) -> int: ...

    @property
    def block_size(self) -> int | None:
        """Weights along K that share a scale; None when a whole row does, whatever its length."""

    @property
    def scale_dtype(self) -> str:
        """The type in which files hold the scales, float32 or float16; all are float32 at work."""

    @property
    def has_lookup(self) -> bool:
        """Can a token table have this scheme? Only where the runtime looks rows up in it."""

    @property
    def codes_depend_on_call(self) -> bool:
        """Do the activation codes of a row depend on the other rows of its kernel call?"""

    def block_length(self, in_features: int) -> int:
        """Weights along K = `in_features` that share one scale."""

    def num_blocks(self, in_features: int) -> int:
        """Blocks that cover K = `in_features`; the last one may be partly padding."""

    def storable(self, scale: "Tensor") -> "Tensor":
        """`scale` as the nearest finite values that the scheme can have, float32."""

    def with_bits(self, bits: int) -> "Scheme | None":
        """The same format in `bits`, a stage of a curriculum; None where there is none."""
