"""Block-wise activation quantization, as `MatMulNBits` with accuracy_level 4 does it.

Per row and block of K: amax = max|a|, code = rint(a * f32(127 / amax)) with halves to even,
scale = f32(amax / 127). Each quotient is computed separately: a / scale would be wrong on ties.
Rows are independent, so codes do not depend on batch, padding or decoding step.
"""

from functools import partial

import torch
from torch import Tensor

from whisper_qat.quant import blocks
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.straight_through import straight_through

MAX_CODE = 127


def choose_params(x: Tensor, block_size: int) -> tuple[Tensor, Tensor]:
    """Return (scale, multiplier) of `x` [..., K], float32 [..., ceil(K/block)]; 0 where amax is 0.

    There is no zero point: the codes are symmetric.
    """
    return _params(blocks.split(x.detach().float(), block_size))


def quantize(x: Tensor, multiplier: Tensor, block_size: int) -> Tensor:
    """Quantize `x` [..., K] to int8 codes -127 .. 127, [..., ceil(K/block)*block], padding 0."""
    parts = blocks.split(x.detach().float(), block_size)
    return torch.flatten(torch.round(parts * multiplier[..., None]), -2).to(torch.int8)


def dequantize(codes: Tensor, scale: Tensor, block_size: int) -> Tensor:
    """Return code * scale, float32 [..., ceil(K/block)*block]."""
    return torch.flatten(blocks.split(codes.float(), block_size) * scale[..., None], -2)


def fake_quantize(x: Tensor, block_size: int) -> Tensor:
    """Return `x` [..., K] as the kernel sees it, float32; straight-through gradient."""
    return straight_through(x, partial(_values, block_size=block_size))


def fake_quantize_calls(x: Tensor, scheme: BlockScheme, first_call: int | None) -> Tensor:
    """Apply `fake_quantize` for a layer of `scheme`; division into calls changes no code."""
    return fake_quantize(x, scheme.block_size)


def _params(parts: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.aminmax(parts, dim=-1)
    amax = torch.maximum(-low, high)
    # A tensor on purpose: torch turns `127 / amax` into 127 * (1 / amax), and on CUDA `amax / 127`
    # into amax * (1 / 127); both round twice.
    max_code = torch.full_like(amax, MAX_CODE)
    multiplier = torch.where(amax == 0, 0.0, max_code / amax)
    return amax / max_code, multiplier


def _values(x: Tensor, block_size: int) -> Tensor:
    parts = blocks.split(x.float(), block_size)
    scale, multiplier = _params(parts)
    values = (parts * multiplier[..., None]).round_().mul_(scale[..., None])
    return blocks.join(values, x.shape[-1])
