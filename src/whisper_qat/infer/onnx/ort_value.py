"""Tensors of onnxruntime over numpy arrays: the same memory, no copy."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


def value(array: NDArray) -> ort.OrtValue:
    """`array` as a tensor on the CPU that shares its memory where it is contiguous."""
    return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def zeros(shape: Sequence[int]) -> ort.OrtValue:
    """float32 zeros."""
    return value(np.zeros(shape, dtype=np.float32))
