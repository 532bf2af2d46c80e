"""The self-attention cache of rows that decode together: room ahead, so that steps copy nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

GROWTH = 64  # positions; a multiple of 4, by which the softmax sums


class SelfCache:
    """Keys and values [rows, heads, capacity, head_dim] by input name; `length` are taken.

    `growth`: the capacity is a multiple of it.
    """

    def __init__(self, sizes: Mapping[str, tuple[int, int]], growth: int = GROWTH) -> None:
        """`sizes`: (heads, head_dim) by input name."""
        self.growth = growth
        self.length = 0
        self.arrays: dict[str, NDArray[np.float32]] = {
            name: np.zeros((0, heads, 0, head_dim), dtype=np.float32)
            for name, (heads, head_dim) in sizes.items()
        }

    def make_room(self, rows: int, new: int) -> bool:
        """Room for `new` more positions of `rows` rows; True when the arrays are other ones now."""
        needed = -(-(self.length + new) // self.growth) * self.growth
        one = next(iter(self.arrays.values()))
        if self.length and len(one) != rows:
            raise ValueError(f"{rows} rows of tokens on a cache of {len(one)}")
        if one.shape[2] >= needed and len(one) == rows:
            return False
        for name, old in self.arrays.items():
            longer = np.zeros((rows, old.shape[1], needed, old.shape[3]), dtype=np.float32)
            longer[:, :, : self.length] = old[:, :, : self.length] if self.length else 0
            self.arrays[name] = longer
        return True

    def take_rows(self, rows: Sequence[int]) -> None:
        """The rows `rows`, in that order and as often as named."""
        self.arrays = {name: np.take(array, rows, axis=0) for name, array in self.arrays.items()}
