"""Per-channel weight quantization: symmetric int8, for u8 x s8 products.

The rule is that of ORT's `quantize_dynamic` with per_channel and QInt8, whose symmetric range is
-127 .. 127: scale = f32(amax / 127), code = rint(w / scale), halves to even. The division is
direct: w * (1 / scale) would give other codes on ties. Stored codes are shifted to 1 .. 255 around
the zero point 128. With seven bits the largest code is 64 instead of 127. The kernel accepts any
scale: `quantize` therefore takes it as an argument.

One deliberate difference: a channel whose scale is subnormal becomes all zeros with scale 0.
"""

from functools import partial

import torch
from torch import Tensor

from whisper_qat.quant.channel_scheme import ChannelScheme
from whisper_qat.quant.straight_through import straight_through

SMALLEST_NORMAL = torch.finfo(torch.float32).smallest_normal


def choose_params(weight: Tensor, scheme: ChannelScheme) -> tuple[Tensor, int]:
    """Choose (scale float32 [N, 1], zero point) of `weight` [N, K] by ORT's rule."""
    low, high = torch.aminmax(weight.detach().float(), dim=-1, keepdim=True)
    amax = torch.maximum(-low, high)
    # Deliberately a tensor: on CUDA torch turns `amax / 127` into amax * (1 / 127).
    scale = amax / torch.full_like(amax, scheme.largest_int8)
    return scale.masked_fill(scale < SMALLEST_NORMAL, 0.0), scheme.zero_point


def quantize(weight: Tensor, scale: Tensor, scheme: ChannelScheme) -> Tensor:
    """Quantize `weight` [N, K] to the stored codes of `scheme`, uint8 [N, K]."""
    return float_codes(weight.detach().float()[:, None], scale, scheme)[:, 0].to(torch.uint8)


def dequantize(codes: Tensor, scale: Tensor, scheme: ChannelScheme) -> Tensor:
    """Return (code - zero_point) * scale, float32 [N, K]."""
    return (codes.float() - scheme.zero_point) * scale


def fake_quantize(weight: Tensor, scheme: ChannelScheme, scale: Tensor | None = None) -> Tensor:
    """Round `weight` [N, K] to its grid, float32; straight-through gradient (identity).

    `scale` [N, 1] fixes the grid; without it, the rule chooses one from `weight`.
    """
    return straight_through(weight, partial(_values, scheme=scheme, scale=scale))


def float_codes(parts: Tensor, scale: Tensor, scheme: ChannelScheme) -> Tensor:
    """Return stored codes of `parts` [N, 1, K] as a new float32 tensor of that shape."""
    divisor = torch.where(scale == 0, torch.inf, scale)[..., None]
    codes = (parts / divisor).round_().add_(scheme.zero_point)
    return codes.clamp_(scheme.min_code, scheme.max_code)


def _values(weight: Tensor, scheme: ChannelScheme, scale: Tensor | None) -> Tensor:
    if scale is None:
        scale, _ = choose_params(weight, scheme)
    codes = float_codes(weight.float()[:, None], scale, scheme)[:, 0]
    return codes.sub_(scheme.zero_point).mul_(scale)
