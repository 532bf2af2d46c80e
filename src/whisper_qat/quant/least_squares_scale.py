"""Least-squares scales: for each block, the scale whose grid is nearest to the weights.

The scheme's own rule fits the grid to the block's largest weight. Here that scale, multiplied by
each of SHRINK and taken with either sign (a block grid has one code more below zero), yields
candidate codes; for given codes the best scale has a closed form, <w, c> / <c, c>; the candidate
with the smallest squared error wins. The rule's own scale is among the candidates, so it is never
worse. Where the scales of a row are stored relative to one another, they are found as if they were
free, and then rounded together (`share_channel`).
"""

import torch
from torch import Tensor

from whisper_qat.quant import block_weight, blocks, numerics
from whisper_qat.quant.scheme import Scheme

SHRINK = tuple(1.0 - step / 20 for step in range(15))  # 1.0 down to 0.3


def choose_params(
    weight: Tensor, scheme: Scheme, importance: Tensor | None = None
) -> tuple[Tensor, int]:
    """Choose (scale float32 [N, ceil(K/block)], zero point) of `weight` [N, K].

    `importance` [K] weights the squared error of each input channel (e.g. its mean square).
    """
    block = scheme.block_length(weight.shape[-1])
    parts = blocks.split(weight.detach().float(), block)
    weigh = None if importance is None else blocks.split(importance.float(), block)
    best, zero_point = numerics.of_weight(scheme).choose_params(weight, scheme)
    error = _error(parts, best, scheme, weigh)
    start = best
    storable = _unrounded if scheme.scales_share_channel else scheme.storable
    for shrink in SHRINK:
        for sign in (1.0, -1.0):
            candidate = storable(_fitted(parts, start * (shrink * sign), scheme, weigh))
            found = _error(parts, candidate, scheme, weigh)
            best = torch.where(found < error, candidate, best)
            error = torch.minimum(found, error)
    if scheme.scales_share_channel:
        best = numerics.of_shared_scales(scheme).share_channel(parts, best, scheme, weigh)
    return best, zero_point


def _unrounded(scale: Tensor) -> Tensor:
    return scale


def _fitted(parts: Tensor, scale: Tensor, scheme: Scheme, importance: Tensor | None) -> Tensor:
    """Return the least-squares scale for the codes that `scale` gives, before it is stored."""
    codes = numerics.of_weight(scheme).float_codes(parts, scale, scheme).sub_(scheme.zero_point)
    weighted = codes if importance is None else codes * importance
    dot, square = (weighted * parts).sum(-1), (weighted * codes).sum(-1)
    fitted = torch.where(square > 0, dot / square, scale)
    tiny = fitted.abs() < block_weight.SMALLEST_NORMAL
    return fitted.masked_fill(tiny, 0.0)


def _error(parts: Tensor, scale: Tensor, scheme: Scheme, importance: Tensor | None) -> Tensor:
    codes = numerics.of_weight(scheme).float_codes(parts, scale, scheme).sub_(scheme.zero_point)
    square = (codes.mul_(scale[..., None]).sub_(parts)).square_()
    return (square if importance is None else square * importance).sum(-1)
