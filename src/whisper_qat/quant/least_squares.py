"""Least-squares scales: per block, the scale whose grid is nearest to the weights.

ORT's rule spends the grid on the block's largest weight. Here the rule's scale, shrunk by each of
SHRINK and taken with either sign (the grid has one more code below zero than above), proposes
codes; for given codes the best scale has a closed form, <w, c> / <c, c>; the proposal with the
smallest squared error wins. ORT's own scale is among the candidates, so it is never worse.
"""

import torch
from torch import Tensor

from whisper_qat.quant import block_weight, blocks
from whisper_qat.quant.scheme import BlockScheme

SHRINK = tuple(1.0 - step / 20 for step in range(15))  # 1.0 down to 0.3


def choose_params(
    weight: Tensor, scheme: BlockScheme, importance: Tensor | None = None
) -> tuple[Tensor, int]:
    """(scale float32 [N, ceil(K/block)], zero point) of `weight` [N, K].

    `importance` [K] weighs the squared error of each input channel (e.g. its mean square).
    """
    parts = blocks.split(weight.detach().float(), scheme.block_size)
    weigh = None if importance is None else blocks.split(importance.float(), scheme.block_size)
    best, zero_point = block_weight.choose_params(weight, scheme)
    error = _error(parts, best, scheme, weigh)
    start = best
    for shrink in SHRINK:
        for sign in (1.0, -1.0):
            candidate = _fitted(parts, start * (shrink * sign), scheme, weigh)
            found = _error(parts, candidate, scheme, weigh)
            best = torch.where(found < error, candidate, best)
            error = torch.minimum(found, error)
    return best, zero_point


def _fitted(
    parts: Tensor, scale: Tensor, scheme: BlockScheme, importance: Tensor | None
) -> Tensor:
    """The best scale for the codes that `scale` gives."""
    codes = block_weight.float_codes(parts, scale, scheme).sub_(scheme.zero_point)
    weighted = codes if importance is None else codes * importance
    dot, square = (weighted * parts).sum(-1), (weighted * codes).sum(-1)
    fitted = torch.where(square > 0, dot / square, scale)
    tiny = fitted.abs() < block_weight.SMALLEST_NORMAL
    return scheme.storable(fitted.masked_fill(tiny, 0.0))


def _error(
    parts: Tensor, scale: Tensor, scheme: BlockScheme, importance: Tensor | None
) -> Tensor:
    codes = block_weight.float_codes(parts, scale, scheme).sub_(scheme.zero_point)
    square = (codes.mul_(scale[..., None]).sub_(parts)).square_()
    return (square if importance is None else square * importance).sum(-1)
