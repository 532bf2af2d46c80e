"""Channel weights: torch, a numpy oracle and ORT's own per-channel quantizer agree with ==."""

import numpy as np
import pytest
import torch
from onnx import TensorProto
from onnxruntime.quantization.quant_utils import quantize_data

from tests.quant import cases
from whisper_qat.quant import channel_weight, learned_scale, least_squares_scale
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme

SCHEME = DynamicScheme()
NAMES = sorted(cases.weights(0))


def oracle(weight, largest=127):
    """(stored codes, scale [N, 1]): amax / largest, then rint(w / scale) + 128."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(largest)
    quotient = np.divide(weight, scale, out=np.zeros_like(weight), where=scale > 0)
    return (np.clip(np.rint(quotient), -largest, largest) + 128).astype(np.uint8), scale


def by_ort(weight):
    """(stored codes, scale) of onnxruntime's quantizer, symmetric QInt8, row by row."""
    codes, scales = [], []
    for row in weight:
        kind = TensorProto.INT8
        _, scale, quantized = quantize_data(row, kind, symmetric=True)[-3:]
        codes.append(np.asarray(quantized).astype(np.int16) + 128)
        scales.append(scale)
    return np.stack(codes).astype(np.uint8), np.float32(scales).reshape(-1, 1)


def ours(weight, scheme=SCHEME):
    scale, zero_point = channel_weight.choose_params(torch.from_numpy(weight), scheme)
    assert zero_point == 128
    return channel_weight.quantize(torch.from_numpy(weight), scale, scheme).numpy(), scale.numpy()


@pytest.mark.parametrize("name", NAMES)
def test_three_parties_agree(name):
    weight = cases.weights(0)[name]
    (codes, scale), (expected, expected_scale) = ours(weight), oracle(weight)
    assert (codes == expected).all() and (scale == expected_scale).all()
    ort_codes, ort_scale = by_ort(weight)
    assert (codes == ort_codes).all()
    assert (scale == ort_scale)[expected_scale > 0].all()


@pytest.mark.parametrize("scheme", [SCHEME, RowScheme(7)], ids=lambda scheme: scheme.name)
def test_no_code_differs_over_1000_seeds(scheme):
    mismatches = 0
    for seed in range(1000):
        for name in ("fine-tie-grid", "ragged-k"):
            weight = cases.weights(seed)[name]
            codes, scale = ours(weight, scheme)
            expected, expected_scale = oracle(weight, scheme.largest_int8)
            mismatches += int((codes != expected).sum()) + int((scale != expected_scale).sum())
    assert mismatches == 0


@pytest.mark.parametrize("name", NAMES)
def test_seven_bits_round_as_the_oracle_and_reach_64(name):
    weight = cases.weights(0)[name]
    codes, scale = ours(weight, RowScheme(7))
    expected, expected_scale = oracle(weight, 64)
    assert (codes == expected).all() and (scale == expected_scale).all()
    reached = np.abs(codes.astype(int) - 128).max(1)
    assert (reached == 64)[expected_scale[:, 0] > 0].all()


def test_ties_can_see_the_reciprocal():
    weight = np.float32(0.3) * cases.weights(0)["fine-tie-grid"]
    weight[:, 0] = np.float32(0.3) * np.float32(127 / 8)
    codes, scale = ours(weight)
    product = np.clip(np.rint(weight * (np.float32(1) / scale)), -127, 127) + 128
    assert (product != codes).any()


@pytest.mark.parametrize("name", NAMES)
def test_fake_quantize_is_dequantize_of_quantize(name):
    weight = torch.from_numpy(cases.weights(0)[name])
    scale, _ = channel_weight.choose_params(weight, SCHEME)
    codes = channel_weight.quantize(weight, scale, SCHEME)
    expected = channel_weight.dequantize(codes, scale, SCHEME)
    assert (channel_weight.fake_quantize(weight, SCHEME) == expected).all()
    assert (channel_weight.fake_quantize(weight, SCHEME, scale) == expected).all()
    assert (learned_scale.fake_quantize(weight, scale, SCHEME) == expected).all()


def test_a_given_scale_clips_symmetrically():
    weight = torch.tensor([[3.0, -3.0, 0.25, 0.0]])
    values = channel_weight.fake_quantize(weight, SCHEME, torch.full((1, 1), 0.01))
    assert values[0].tolist() == pytest.approx([1.27, -1.27, 0.25, 0.0])


def test_a_subnormal_channel_becomes_zero():
    weight = torch.full((1, 32), 1e-39)
    scale, _ = channel_weight.choose_params(weight, SCHEME)
    assert scale.tolist() == [[0.0]]
    assert (channel_weight.quantize(weight, scale, SCHEME) == 128).all()


def test_gradient_is_straight_through_and_a_learned_scale_gets_one():
    weight = torch.randn(4, 64, requires_grad=True)
    gradient = torch.randn(4, 64)
    channel_weight.fake_quantize(weight, SCHEME).backward(gradient)
    assert weight.grad is not None and (weight.grad == gradient).all()
    scale = channel_weight.choose_params(weight, SCHEME)[0].requires_grad_()
    learned_scale.fake_quantize(weight, scale, SCHEME).sum().backward()
    assert scale.grad is not None and scale.grad.shape == (4, 1) and (scale.grad != 0).all()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"large", "small"}))
def test_least_squares_is_never_worse_than_the_rule(name):
    weight = torch.from_numpy(cases.weights(0)[name])
    rule = channel_weight.fake_quantize(weight, SCHEME)
    fitted = least_squares_scale.choose_params(weight, SCHEME)[0]
    best = channel_weight.fake_quantize(weight, SCHEME, fitted)
    assert fitted.shape == (len(weight), 1)
    worse = (best - weight).square().sum(1) - (rule - weight).square().sum(1)
    assert (worse <= 1e-6).all()


def test_autocast_and_half_inputs_do_not_move_codes():
    weight = torch.randn(16, 128, dtype=torch.bfloat16)
    expected = channel_weight.fake_quantize(weight.float(), SCHEME)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = channel_weight.fake_quantize(weight, SCHEME)
    assert values.dtype == torch.float32 and (values == expected).all()
