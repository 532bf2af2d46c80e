"""Learned quantization scales: LSQ's gradient for a weight's block scales (Esser et al. 2020).

The forward pass is the scheme's own `fake_quantize` with the scale given. Backward, for a weight w,
u = w / scale and code c (zero point subtracted): d value / d scale = c - u inside the range and c
where u is clipped; d value / d w = 1 inside and 0 where clipped. The scale's gradient is multiplied
by 1 / sqrt(block * largest code), section 2.2 of the paper, which keeps one scale's gradient near
that of one weight. A float16 scale is rounded in the forward pass, with a straight-through
gradient.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from whisper_qat.quant import blocks, numerics
from whisper_qat.quant.row_chunks import by_rows
from whisper_qat.quant.scheme import Scheme


def fake_quantize(weight: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
    """Round `weight` [N, K] to the grid of `scale` [N, ceil(K/block)]; both get gradients."""
    return _LearnedScale.apply(weight, scale, scheme)


class _LearnedScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:  # type: ignore[override]
        stored = scheme.storable(scale)
        values, codes = by_rows(partial(on_grid, scheme=scheme), weight, stored)
        ctx.save_for_backward(weight, stored, codes)
        ctx.scheme = scheme
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        weight, scale, codes = ctx.saved_tensors
        to_weight, to_scale = by_rows(
            partial(gradients, scheme=ctx.scheme), weight, scale, codes, gradient
        )
        return to_weight, to_scale, None


def on_grid(weight: Tensor, scale: Tensor, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return `weight` [N, K] on the grid of the stored `scale` [N, blocks], and its int8 codes.

    Codes [N, blocks, block] have the zero point subtracted: one byte per weight, kept so that the
    backward pass need not round again.
    """
    parts = blocks.split(weight.float(), scheme.block_length(weight.shape[-1]))
    codes = numerics.of_weight(scheme).float_codes(parts, scale, scheme).sub_(scheme.zero_point)
    kept = codes.to(torch.int8)
    return blocks.join(codes.mul_(scale[..., None]), weight.shape[-1]), kept


def gradients(
    weight: Tensor, scale: Tensor, codes: Tensor, gradient: Tensor, scheme: Scheme
) -> tuple[Tensor, Tensor]:
    """Gradients of the weight [N, K] and its scales from the `gradient` [N, K] of the values."""
    block = scheme.block_length(weight.shape[-1])
    parts = blocks.split(weight.float(), block)
    incoming = blocks.split(gradient.float(), block)
    reciprocal = torch.where(scale == 0, 0.0, 1.0 / scale)[..., None]
    u = parts * reciprocal
    low = scheme.min_code - scheme.zero_point - 0.5
    high = scheme.max_code - scheme.zero_point + 0.5
    inside = (u >= low) & (u < high)
    slope = codes.float().sub_(u.masked_fill_(~inside, 0.0))
    factor = (block * max(1, scheme.max_code - scheme.zero_point)) ** -0.5
    to_scale = (incoming * slope).sum(-1) * factor
    return blocks.join(incoming * inside, weight.shape[-1]), to_scale
