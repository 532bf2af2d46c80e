"""GPTQ and weighted least squares: the PTQ baselines that use calibration speech.

Both fit each layer to its inputs (`ptq.calibration`), on the grid that training and the other
baselines use: symmetric codes, float16 block scales of either sign (or another scheme's). GPTQ's
scales are those of least squares weighted by the inputs' mean squares; error feedback then chooses
the codes.

Both are implemented here because no maintained library's output fits the exported ONNX nodes. In
onnxruntime 1.31's `MatMulNBitsQuantizer`, GPTQ returns rounded floats and then chooses new scales
from them (`gptq_quantize` calls `quant_tensor`), which moves codes off the grid that the feedback
assumed, and MatMulNBits gets 4 bits only; HQQ has float zero points and k_quant an integer zero
point per block, an input that these nodes do not have, and neither uses data. AutoGPTQ and
GPTQModel quantize decoder-only language models; llm-compressor quantizes Whisper too, but with its
own scales (range over 2^bits - 1, positive) and at the full 30 s context. None of them has int8
activations.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, Plan, Rule
from whisper_qat.ptq import error_feedback
from whisper_qat.ptq.calibration import (
    Fit,
    Sample,
    Statistic,
    channel_squares,
    fit_layers,
    second_moment,
)
from whisper_qat.quant import least_squares_scale, numerics

Progress = Callable[[str], None]


def gptq(
    model: WhisperForConditionalGeneration, rules: Sequence[Rule], samples: Sequence[Sample],
    progress: Progress,
) -> Plan:  # fmt: skip
    """Quantize `model` in place by GPTQ; its float weights are replaced by values on the grid."""
    return _calibrate(model, rules, samples, (second_moment, fit_with_feedback), progress)


def weighted_least_squares(
    model: WhisperForConditionalGeneration, rules: Sequence[Rule], samples: Sequence[Sample],
    progress: Progress,
) -> Plan:  # fmt: skip
    """Quantize `model` in place; scales minimize squared error weighted by the inputs' squares."""
    return _calibrate(model, rules, samples, (channel_squares, fit_scale), progress)


def _calibrate(
    model: WhisperForConditionalGeneration, rules: Sequence[Rule], samples: Sequence[Sample],
    how: tuple[Statistic, Fit], progress: Progress,
) -> Plan:  # fmt: skip
    made = plan(model, rules)
    apply_plan(model, made)
    fit_layers(model, samples, *how, progress)
    if TOKEN_TABLE in made.quantized():  # one grid for both uses of the shared weight
        layers = fake_quantized(model)
        layers[TOKEN_TABLE].fix_scale(layers[HEAD].scale())
    return made


def fit_scale(layer: FakeQuantLinear, squares: Tensor) -> None:
    """Fix the scale that minimizes squared error, input channel k weighted by squares[k] >= 0."""
    importance = squares if squares.any() else None  # a layer whose input was all zeros
    layer.fix_scale(least_squares_scale.choose_params(layer.weight, layer.scheme, importance)[0])


def fit_with_feedback(layer: FakeQuantLinear, moment: Tensor) -> None:
    """Fix the scale as `fit_scale` does and set the weight to the values that GPTQ chooses."""
    fit_scale(layer, moment.diagonal())
    values = error_feedback.quantize(layer.weight, moment, layer.scale(), layer.scheme)
    layer.weight.data.copy_(values)
    written = numerics.of_weight(layer.scheme).dequantize(
        layer.codes(), layer.scale(), layer.scheme
    )
    assert torch.equal(written[:, : values.shape[1]], values), "GPTQ's codes are not the layer's"
