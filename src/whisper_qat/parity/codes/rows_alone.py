"""Rows alone: which codes of a kernel call change when a row comes without the others."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALONE = 16  # rows that are run alone


def count_moved(number: int, codes: Callable[[slice], NDArray[Any]]) -> int:
    """Codes that differ between `codes` of all `number` rows and of a few rows, one a call."""
    together = codes(slice(0, number))
    chosen = range(0, number, max(1, number // ALONE))
    alone = [codes(slice(i, i + 1)) for i in chosen]
    return int((np.concatenate(alone) != together[list(chosen)]).sum())
