"""Block-wise weight quantization: ONNX Runtime's rounding for `MatMulNBits`, in torch.

The rule is that of ORT's `quantize_matmul_{4,8}bits` (mlas q4_dq.cpp), found by comparing codes on
weights with ties: m is the block's extreme of largest magnitude (the negative one when both are
equal), scale = m / -2^(bits-1), so often negative, and code = round(w * f32(1/scale) + 2^(bits-1)),
halves away from zero, clipped to 0 .. 2^bits - 1. The kernel accepts any scale: `quantize`
therefore takes the scale as an argument, and a trained scale uses the same code.

One deliberate difference: a block whose scale is subnormal (all weights below 1.5e-36 for 8 bits)
becomes all zeros. ORT divides by it, and the infinite reciprocal makes its codes undefined.
"""

from functools import partial

import torch
from torch import Tensor

from whisper_qat.quant import blocks
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.row_chunks import by_rows
from whisper_qat.quant.straight_through import straight_through

SMALLEST_NORMAL = torch.finfo(torch.float32).smallest_normal


def choose_params(weight: Tensor, scheme: BlockScheme) -> tuple[Tensor, int]:
    """Choose (scale float32 [N, ceil(K/block)], zero point) of `weight` [N, K] by ORT's rule."""
    parts = blocks.split(weight.detach().float(), scheme.block_size)
    low, high = torch.aminmax(parts, dim=-1)
    extreme = torch.where(high.abs() > low.abs(), high, low)
    scale = extreme / -scheme.zero_point
    scale = scale.masked_fill(scale.abs() < SMALLEST_NORMAL, 0.0)
    return scheme.storable(scale), scheme.zero_point


def quantize(weight: Tensor, scale: Tensor, scheme: BlockScheme) -> Tensor:
    """Quantize `weight` [N, K] to stored codes 0 .. 2^bits-1, uint8 [N, ceil(K/block)*block].

    Padding beyond K holds the zero point, which dequantizes to 0.
    """
    codes = float_codes(blocks.split(weight.detach().float(), scheme.block_size), scale, scheme)
    return torch.flatten(codes, -2).to(torch.uint8)


def dequantize(codes: Tensor, scale: Tensor, scheme: BlockScheme) -> Tensor:
    """Compute (code - zero_point) * scale as the kernel does, float32 [N, ceil(K/block)*block]."""
    parts = blocks.split(codes.float(), scheme.block_size)
    return torch.flatten((parts - scheme.zero_point) * scale[..., None], -2)


def fake_quantize(weight: Tensor, scheme: BlockScheme, scale: Tensor | None = None) -> Tensor:
    """Round `weight` [N, K] to its grid, float32; straight-through gradient (identity).

    `scale` [N, ceil(K/block)] fixes the grid; without it, ORT's rule chooses one from `weight`.
    """
    return straight_through(weight, partial(_values, scheme=scheme, scale=scale))


def float_codes(parts: Tensor, scale: Tensor, scheme: BlockScheme) -> Tensor:
    """Return stored codes of `parts` [N, blocks, block] as a new float32 tensor of that shape."""
    reciprocal = torch.where(scale == 0, 0.0, 1.0 / scale)[..., None]
    scaled = parts * reciprocal + scheme.zero_point
    below = scaled.floor()
    # Halves away from zero: for negative values this differs only where clipping gives 0 anyway.
    return below.add_((scaled.sub_(below)) >= 0.5).clamp_(0, scheme.max_code)


def _values(weight: Tensor, scheme: BlockScheme, scale: Tensor | None) -> Tensor:
    def on_grid(weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor]:
        if scale is None:
            scale, _ = choose_params(weight, scheme)
        codes = float_codes(blocks.split(weight.float(), scheme.block_size), scale, scheme)
        values = codes.sub_(scheme.zero_point).mul_(scale[..., None])
        return (blocks.join(values, weight.shape[-1]),)

    return by_rows(on_grid, *(t for t in (weight, scale) if t is not None))[0]
