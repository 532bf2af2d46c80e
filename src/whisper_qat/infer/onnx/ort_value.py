"""onnxruntime tensors that share the memory of numpy arrays."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


def value(array: NDArray) -> ort.OrtValue:
    """`array` as a CPU tensor, sharing its memory if contiguous."""
    return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def zeros(shape: Sequence[int]) -> ort.OrtValue:
    """A float32 tensor of zeros."""
    return value(np.zeros(shape, dtype=np.float32))
