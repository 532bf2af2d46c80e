"""Two-level weight quantization: codes of few bits, block factors, and one scale per channel.

A code is rint(w / block scale), halves to even, clipped. No kernel prescribes how to choose codes
and factors, as the runtime reads only their product: this is our own rule. A block's scale comes
from its extreme of largest magnitude, as in `block_weight`, and its factor is rounded away from
zero, so that no weight is clipped. Training with learned scales, and least squares, round a factor
to nearest instead.
"""

from functools import partial

import torch
from torch import Tensor

from whisper_qat.quant import blocks
from whisper_qat.quant.row_chunks import by_rows
from whisper_qat.quant.straight_through import straight_through
from whisper_qat.quant.two_level_scheme import (
    LARGEST_FACTOR,
    SMALLEST_FACTOR,
    TwoLevelScheme,
    channel_scale,
)


def choose_params(weight: Tensor, scheme: TwoLevelScheme) -> tuple[Tensor, int]:
    """Choose (scale float32 [N, blocks], zero point) of `weight` [N, K], clipping no weight."""
    parts = blocks.split(weight.detach().float(), scheme.block_length(weight.shape[1]))
    low, high = torch.aminmax(parts, dim=-1)
    wanted = torch.where(high.abs() > low.abs(), high, low) / -scheme.zero_point
    channel = channel_scale(wanted)
    ratio = wanted / channel.masked_fill(channel == 0, torch.inf)
    away = (ratio.abs().ceil() * ratio.sign()).clamp(SMALLEST_FACTOR, LARGEST_FACTOR)
    return away * channel, scheme.zero_point


def quantize(weight: Tensor, scale: Tensor, scheme: TwoLevelScheme) -> Tensor:
    """Quantize `weight` [N, K] to codes 0 .. 2^bits - 1, uint8 [N, blocks * 16]."""
    parts = blocks.split(weight.detach().float(), scheme.block_length(weight.shape[1]))
    return torch.flatten(float_codes(parts, scale, scheme), -2).to(torch.uint8)


def dequantize(codes: Tensor, scale: Tensor, scheme: TwoLevelScheme) -> Tensor:
    """Return (code - zero point) * scale, float32 [N, blocks * 16], which is exact."""
    parts = blocks.split(codes.float(), scheme.block_length(codes.shape[1]))
    return torch.flatten((parts - scheme.zero_point) * scale[..., None], -2)


def fake_quantize(weight: Tensor, scheme: TwoLevelScheme, scale: Tensor | None = None) -> Tensor:
    """Round `weight` [N, K] to its grid, float32; straight-through gradient (identity).

    `scale` [N, blocks] fixes the grid; without it, the rule chooses one from `weight`.
    """
    return straight_through(weight, partial(_values, scheme=scheme, scale=scale))


def float_codes(parts: Tensor, scale: Tensor, scheme: TwoLevelScheme) -> Tensor:
    """Return stored codes of `parts` [N, blocks, 16] as a new float32 tensor of that shape."""
    divisor = torch.where(scale == 0, torch.inf, scale)[..., None]
    codes = (parts / divisor).round_().add_(scheme.zero_point)
    return codes.clamp_(0, scheme.max_code)


def share_channel(
    parts: Tensor, scale: Tensor, scheme: TwoLevelScheme, importance: Tensor | None
) -> Tensor:
    """Round block scales [N, blocks] to storable ones of least squared error.

    `parts` [N, blocks, 16] are the weights; `importance` [blocks, 16] weights their errors. Tried
    are the factors on either side, with either sign, but the block with the largest factor keeps
    it, as the channel scale follows from it.
    """
    channel = channel_scale(scale)
    stored = scheme.storable(scale)
    unit = channel.masked_fill(channel == 0, torch.inf)
    size = (scale / unit).abs()
    best, error = stored, _error(parts, stored, scheme, importance)
    for offset in (-1, 0, 1, 2):
        for sign in (1, -1):
            factor = ((size.floor() + offset) * sign).clamp(SMALLEST_FACTOR, LARGEST_FACTOR)
            candidate = factor * channel
            found = _error(parts, candidate, scheme, importance)
            best = torch.where((found < error) & (factor != 0), candidate, best)
            error = torch.minimum(error, found.masked_fill(factor == 0, torch.inf))
    factors = stored / unit
    at_limit = (factors == LARGEST_FACTOR) | (factors == SMALLEST_FACTOR)
    first = at_limit & (at_limit.cumsum(-1) == 1)
    return torch.where(first, stored, best)


def _error(
    parts: Tensor, scale: Tensor, scheme: TwoLevelScheme, importance: Tensor | None
) -> Tensor:
    values = float_codes(parts, scale, scheme).sub_(scheme.zero_point).mul_(scale[..., None])
    square = values.sub_(parts).square_()
    return (square if importance is None else square * importance).sum(-1)


def _values(weight: Tensor, scheme: TwoLevelScheme, scale: Tensor | None) -> Tensor:
    def on_grid(weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor]:
        if scale is None:
            scale, _ = choose_params(weight, scheme)
        parts = blocks.split(weight.float(), scheme.block_length(weight.shape[1]))
        values = float_codes(parts, scale, scheme).sub_(scheme.zero_point).mul_(scale[..., None])
        return (blocks.join(values, weight.shape[-1]),)

    return by_rows(on_grid, *(t for t in (weight, scale) if t is not None))[0]
