"""Warm start: QAT begins with GPTQ's codes instead of those of rounding to nearest.

GPTQ leaves every weight in the middle of its code's interval, where small steps change no code. So
only its codes are kept: each float weight moves just far enough to round to its code. A weight that
GPTQ rounded to nearest stays as it was; one that it rounded the other way is placed at the edge of
the interval, and the first training steps decide.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE
from whisper_qat.ptq.calibration import Sample, fit_layers, second_moment
from whisper_qat.ptq.gptq import fit_with_feedback
from whisper_qat.quant import blocks
from whisper_qat.quant.scheme import Scheme

EDGE = 1 / 64  # of a step: how far inside its interval a moved weight is placed


@torch.no_grad()
def start_from_gptq(
    model: WhisperForConditionalGeneration, samples: Sequence[Sample],
    progress: Callable[[str], None],
) -> None:  # fmt: skip
    """Give the fake-quantized `model` GPTQ's codes and scales, moving its weights minimally.

    A scale that is learned gets GPTQ's value in place; any other is fixed from now on.
    """
    layers = fake_quantized(model)
    learned = {layer: layer.weight_scale for layer in layers.values()}
    before = {id(layer.weight): layer.weight.detach().clone() for layer in layers.values()}
    fit_layers(model, samples, second_moment, fit_with_feedback, progress)
    if TOKEN_TABLE in layers:
        layers[TOKEN_TABLE].fix_scale(layers[HEAD].scale())
    for layer in layers.values():
        weight = before.pop(id(layer.weight), None)
        if weight is not None:  # None: a shared weight was already set through its other use
            codes = layer.codes()
            layer.weight.copy_(nearest_with_codes(weight, codes, layer.scale(), layer.scheme))
            assert torch.equal(layer.codes(), codes), "a moved weight has another code"
    for layer, scale in learned.items():
        if isinstance(scale, nn.Parameter):
            scale.copy_(layer.scale())
            layer.weight_scale = scale


def nearest_with_codes(weight: Tensor, codes: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
    """Return the weights [N, K] nearest to `weight` that round to `codes` [N, blocks * block]."""
    length = scheme.block_length(weight.shape[1])
    parts, wanted = blocks.split(weight.float(), length), blocks.split(codes.float(), length)
    step = scale[..., None]
    u = torch.where(step == 0, wanted, parts / step + scheme.zero_point)
    low = (wanted - 0.5 + EDGE).masked_fill(wanted == scheme.min_code, -torch.inf)
    high = (wanted + 0.5 - EDGE).masked_fill(wanted == scheme.max_code, torch.inf)
    moved = (torch.clamp(u, low, high) - scheme.zero_point) * step
    return blocks.join(torch.where((u >= low) & (u <= high), parts, moved), weight.shape[1])
