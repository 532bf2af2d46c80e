"""Dynamic activation quantization with one range per kernel call, as in `DynamicQuantizeMatMul`.

ONNX DynamicQuantizeLinear: low = min(x, 0), high = max(x, 0) over the whole call, scale =
f32((high - low) / 255), zero point = rint(-low / scale) in 0 .. 255, code = rint(x / scale) + zero
point, clipped to 0 .. 255. The order matters: rint(x / scale + zero point) and rint(x * (1 /
scale)) are both wrong on ties.

One range covers all of a kernel call's input. Here each matrix [M, K] is one call, so each
utterance of a batch has its own range, as when the runtime processes them one by one. The padding
of an utterance in a training batch counts as part of it, as silence counts in a padded clip.
"""

import torch
from torch import Tensor

from whisper_qat.quant.channel_scheme import DynamicScheme
from whisper_qat.quant.straight_through import straight_through

MAX_CODE = 255


def choose_params(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return (scale, zero point) of `x` [..., M, K]: float32 [..., 1, 1], one for each matrix.

    For a matrix of zeros they are 1 and 0.
    """
    x = x.detach().float()
    low = x.amin((-2, -1), keepdim=True).clamp_(max=0)
    high = x.amax((-2, -1), keepdim=True).clamp_(min=0)
    # Tensor by tensor: torch turns division by a number into a product with its reciprocal.
    scale = (high - low) / torch.full_like(high, MAX_CODE)
    scale = torch.where(high == low, 1.0, scale)
    return scale, (-low / scale).clamp_(0, MAX_CODE).round_()


def quantize(x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Quantize `x` [..., M, K] to uint8 codes 0 .. 255."""
    codes = torch.round(x.detach().float() / scale).add_(zero_point)
    return codes.clamp_(0, MAX_CODE).to(torch.uint8)


def dequantize(codes: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Return (code - zero point) * scale, float32 [..., M, K]."""
    return (codes.float() - zero_point) * scale


def fake_quantize(x: Tensor, first_call: int | None = None) -> Tensor:
    """Return `x` [..., M, K] as the kernel sees it, float32; straight-through gradient.

    With `first_call` a matrix holds the input of several calls: its first `first_call` rows form
    one call (the prompt), and each later row is a call by itself (a decoding step).
    """
    if first_call is None or x.shape[-2] <= first_call:
        return straight_through(x, _values)
    steps = straight_through(x[..., first_call:, :].unsqueeze(-2), _values).squeeze(-2)
    return torch.cat([straight_through(x[..., :first_call, :], _values), steps], dim=-2)


def fake_quantize_calls(x: Tensor, scheme: DynamicScheme, first_call: int | None) -> Tensor:
    """Apply `fake_quantize` for a layer of `scheme`."""
    return fake_quantize(x, first_call)


def _values(x: Tensor) -> Tensor:
    scale, zero_point = choose_params(x)
    codes = (x.float() / scale).round_().add_(zero_point).clamp_(0, MAX_CODE)
    return codes.sub_(zero_point).mul_(scale)
