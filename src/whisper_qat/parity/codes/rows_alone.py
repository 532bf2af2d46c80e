"""Count the codes of a kernel call that change when a row is run without the others."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALONE = 16  # rows that are run alone


def count_moved(number: int, codes: Callable[[slice], NDArray[Any]]) -> int:
    """Number of codes that differ between a call on all `number` rows and single-row calls.

    Only a few rows are run alone.
    """
    together = codes(slice(0, number))
    chosen = range(0, number, max(1, number // ALONE))
    alone = [codes(slice(i, i + 1)) for i in chosen]
    return int((np.concatenate(alone) != together[list(chosen)]).sum())
