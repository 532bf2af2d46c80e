"""GPTQ for one matrix: columns are rounded in turn, and later ones compensate for each error.

Frantar et al. 2022, "GPTQ: accurate post-training quantization for generative pre-trained
transformers": with H = X^T X of the layer's inputs X and U the upper Cholesky factor of its
inverse, rounding column i with an error e costs least when every later column j moves by
-e * U[i, j] / U[i, i]. Columns are rounded by descending H[i, i], the authors' `act_order`: the
most important inputs come first, while many columns are left to compensate. Scales are given and
fixed (`static_groups`), so the order does not affect the blocks.

Independent of any model: `weight` [N, K], `hessian` [K, K], one scale per row and block.
"""

import torch
from torch import Tensor

from whisper_qat.quant import numerics
from whisper_qat.quant.scheme import Scheme

DAMPING = 0.01  # of the mean of H's diagonal, added to it (the paper's section 4)
LAZY_COLUMNS = 128  # updates beyond these wait for one matrix product (the paper's "lazy batch")


def quantize(weight: Tensor, hessian: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
    """Choose values on the grid, float32 [N, K], whose products stay close to those of `weight`.

    `scale` [N, ceil(K/block)] defines the grid. The column of an input that is always 0 is rounded
    to nearest.
    """
    order = torch.argsort(hessian.diagonal(), descending=True, stable=True)
    factor = inverse_factor(hessian[order][:, order])
    pending = weight.detach().float()[:, order].clone()
    values = torch.empty_like(pending)
    for first in range(0, len(order), LAZY_COLUMNS):
        columns = slice(first, first + LAZY_COLUMNS)
        blocks = (order[columns] // scheme.block_length(len(order))).tolist()
        errors = _round_columns(pending, values, columns, factor, (scale, blocks), scheme)
        pending[:, columns.stop :] -= errors @ factor[columns, columns.stop :]
    result = torch.empty_like(values)
    result[:, order] = values
    return result


def inverse_factor(hessian: Tensor) -> Tensor:
    """Return upper triangular U, U^T U the inverse of the damped `hessian`; float64 inside."""
    damped = hessian.to(torch.float64, copy=True)
    diagonal = damped.diagonal()
    diagonal.masked_fill_(diagonal == 0, 1.0)  # an input that is always 0 has no error to pass on
    diagonal += DAMPING * diagonal.mean()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()


def _round_columns(
    pending: Tensor, values: Tensor, columns: slice, factor: Tensor,
    grid: tuple[Tensor, list[int]], scheme: Scheme,
) -> Tensor:  # fmt: skip
    """Round `columns` of `pending` into `values`; return errors [N, columns], each over U[i, i]."""
    scale, blocks = grid
    here, local = pending[:, columns], factor[columns, columns]
    errors = torch.empty_like(here)
    for i, block in enumerate(blocks):
        column = scale[:, block, None]
        rounded = numerics.of_weight(scheme).float_codes(here[:, i, None, None], column, scheme)[
            :, :, 0
        ]
        value = (rounded - scheme.zero_point) * column
        errors[:, i] = (here[:, i] - value[:, 0]) / local[i, i]
        here[:, i + 1 :] -= errors[:, i, None] * local[i, i + 1 :]
        values[:, columns.start + i] = value[:, 0]
    return errors
