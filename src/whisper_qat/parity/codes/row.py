"""Activation codes of int8-row, read through its nodes with the identity as weight."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from whisper_qat.infer.kernels import row_check
from whisper_qat.parity.codes import rows_alone
from whisper_qat.quant import row_activation
from whisper_qat.quant.channel_scheme import RowScheme


def count_wrong(x: Tensor, scheme: RowScheme) -> int:
    """Number of codes of `x` [M, K] that the nodes round differently from torch."""
    return int((row_check.run_kernel(x.numpy(), _identity(x)) != _values(x)).sum())


def count_moved(x: Tensor, scheme: RowScheme) -> int:
    """Number of codes in a few rows of `x` [M, K] that change when the row is run alone."""
    rows, identity = x.numpy(), _identity(x)
    return rows_alone.count_moved(
        len(rows), lambda part: row_check.run_kernel(rows[part], identity)
    )


def _identity(x: Tensor) -> NDArray[np.int8]:
    return np.eye(x.shape[1], dtype=np.int8)


def _values(x: Tensor) -> NDArray[np.float32]:
    scale, _ = row_activation.choose_params(x)
    return row_activation.dequantize(row_activation.quantize(x, scale), scale).numpy()
