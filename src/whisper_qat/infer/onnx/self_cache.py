"""The self-attention cache of a batch, allocated ahead so that steps copy nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

GROWTH = 64  # positions; a multiple of 4, as the softmax sums in groups of four


class SelfCache:
    """Keys and values [rows, heads, capacity, head_dim] by input name; `length` positions are used.

    The capacity is a multiple of `growth`.
    """

    def __init__(self, sizes: Mapping[str, tuple[int, int]], growth: int = GROWTH) -> None:
        """Start empty; `sizes` gives (heads, head_dim) by input name."""
        self.growth = growth
        self.length = 0
        self.arrays: dict[str, NDArray[np.float32]] = {
            name: np.zeros((0, heads, 0, head_dim), dtype=np.float32)
            for name, (heads, head_dim) in sizes.items()
        }

    def make_room(self, rows: int, new: int) -> bool:
        """Make room for `new` more positions of `rows` rows; True when arrays were reallocated."""
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
        """Reorder the cache to `rows`, in that order; a row may be repeated."""
        self.arrays = {name: np.take(array, rows, axis=0) for name, array in self.arrays.items()}
