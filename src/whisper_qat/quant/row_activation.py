"""Row-wise activation quantization: symmetric int8 with one scale per row, over all of K.

scale = f32(amax / 127), code = rint(x / scale) + 128, as ONNX QuantizeLinear computes it with a
scale per row. A row's codes depend on nothing else in the call: not on batch, padding or step.
Codes are stored as uint8 because the runtime's fast product is u8 x s8. A row whose scale would be
subnormal gets the smallest normal scale instead, so there is no division by a subnormal.
"""

import torch
from torch import Tensor

from whisper_qat.quant.channel_scheme import RowScheme
from whisper_qat.quant.straight_through import straight_through

LARGEST = 127
ZERO_POINT = 128
SMALLEST_NORMAL = torch.finfo(torch.float32).smallest_normal


def choose_params(x: Tensor) -> tuple[Tensor, int]:
    """Choose (scale float32 [..., M, 1], zero point) of `x` [..., M, K]."""
    x = x.detach().float()
    amax = torch.maximum(x.amax(-1, keepdim=True), -x.amin(-1, keepdim=True))
    # Tensor by tensor: torch turns division by a number into a product with its reciprocal.
    scale = amax / torch.full_like(amax, LARGEST)
    return scale.clamp_(min=SMALLEST_NORMAL), ZERO_POINT


def quantize(x: Tensor, scale: Tensor) -> Tensor:
    """Quantize `x` [..., M, K] to uint8 codes 1 .. 255."""
    return (_codes(x.detach(), scale) + ZERO_POINT).to(torch.uint8)


def dequantize(codes: Tensor, scale: Tensor) -> Tensor:
    """Return (code - 128) * scale, float32 [..., M, K]."""
    return (codes.float() - ZERO_POINT) * scale


def fake_quantize(x: Tensor) -> Tensor:
    """Return `x` [..., M, K] as the kernel sees it, float32; straight-through gradient."""
    return straight_through(x, _values)


def fake_quantize_calls(x: Tensor, scheme: RowScheme, first_call: int | None) -> Tensor:
    """Apply `fake_quantize` for a layer of `scheme`; division into calls changes no code."""
    return fake_quantize(x)


def _codes(x: Tensor, scale: Tensor) -> Tensor:
    return (x.float() / scale).round_()


def _values(x: Tensor) -> Tensor:
    scale, _ = choose_params(x)
    return _codes(x, scale).mul_(scale)
