"""Two-level weights against a numpy oracle with ==, and the rules that choose their scales."""

import numpy as np
import pytest
import torch

from tests.quant import cases
from whisper_qat.quant import learned_scale, least_squares_scale, two_level_weight
from whisper_qat.quant.two_level_scheme import PLANES, TwoLevelScheme, channel_scale

SCHEMES = pytest.mark.parametrize("scheme", [*map(TwoLevelScheme, PLANES)], ids=lambda s: s.name)
NAMES = sorted(cases.weights(0))


def bfloat16(values):
    """float32 values rounded to bfloat16, halves to even, by their bits."""
    bits = values.view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded & 0xFFFF0000).astype(np.uint32).view(np.float32)


def oracle(weight, bits):
    """Codes [N, blocks, 16], factors [N, blocks] and channel scales [N, 1] of the rule."""
    zero = 2 ** (bits - 1)
    parts = np.pad(weight, ((0, 0), (0, -weight.shape[1] % 16))).reshape(len(weight), -1, 16)
    high, low = parts.max(-1), parts.min(-1)
    wanted = np.where(np.abs(high) > np.abs(low), high, low) / np.float32(-zero)
    largest = np.maximum(
        wanted.max(1, keepdims=True) / np.float32(7), wanted.min(1, keepdims=True) / np.float32(-8)
    )
    channel = bfloat16(np.ascontiguousarray(largest, dtype=np.float32))
    channel[channel < np.finfo(np.float32).smallest_normal] = 0
    ratio = wanted / np.where(channel == 0, np.float32(np.inf), channel)
    factors = np.clip(np.sign(ratio) * np.ceil(np.abs(ratio)), -8, 7).astype(np.float32)
    scale = factors * channel
    divisor = np.where(scale == 0, np.float32(np.inf), scale)[..., None]
    codes = np.clip(np.rint(parts / divisor) + zero, 0, 2 * zero - 1)
    return codes, factors, channel


@SCHEMES
@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_agrees(scheme, name):
    weight = cases.weights(0)[name]
    codes, factors, channel = oracle(weight, scheme.bits)
    tensor = torch.from_numpy(weight)
    scale, zero_point = two_level_weight.choose_params(tensor, scheme)
    assert (scale.numpy() == factors * channel).all() and zero_point == scheme.zero_point
    stored = two_level_weight.quantize(tensor, scale, scheme)
    assert (stored.numpy().reshape(codes.shape) == codes).all()
    values = ((codes - zero_point) * factors[..., None]).astype(np.int64)
    assert np.abs(values).max() <= scheme.largest_int8
    exact = values.astype(np.float64) * channel.astype(np.float64)[..., None]
    found = two_level_weight.dequantize(stored, scale, scheme).numpy()
    assert (found.reshape(exact.shape) == exact).all()


@SCHEMES
@pytest.mark.parametrize("name", NAMES)
def test_fake_quantize_is_dequantize_of_quantize(scheme, name):
    weight = torch.from_numpy(cases.weights(0)[name])
    scale, _ = two_level_weight.choose_params(weight, scheme)
    codes = two_level_weight.quantize(weight, scale, scheme)
    expected = two_level_weight.dequantize(codes, scale, scheme)[:, : weight.shape[1]]
    assert (two_level_weight.fake_quantize(weight, scheme) == expected).all()
    assert (two_level_weight.fake_quantize(weight, scheme, scale) == expected).all()
    assert (learned_scale.fake_quantize(weight, scale, scheme) == expected).all()


@SCHEMES
def test_the_rule_clips_nothing_beyond_rounding_of_the_channel(scheme):
    """Only the code above the largest is cut, by half a step, as in every asymmetric grid."""
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    scale, _ = two_level_weight.choose_params(weight, scheme)
    values = two_level_weight.fake_quantize(weight, scheme)
    step = scale.abs().repeat_interleave(16, 1)
    # bfloat16 moves the largest scale by 1/256, of at most 8 steps.
    assert ((values - weight).abs() <= step * (1 + 8 / 256)).all()


def test_gradient_is_straight_through_and_a_learned_scale_gets_one():
    scheme, weight = TwoLevelScheme(), torch.randn(4, 64, requires_grad=True)
    gradient = torch.randn(4, 64)
    two_level_weight.fake_quantize(weight, scheme).backward(gradient)
    assert (weight.grad == gradient).all()
    scale = two_level_weight.choose_params(weight, scheme)[0].requires_grad_()
    learned_scale.fake_quantize(weight, scale, scheme).sum().backward()
    assert scale.grad.shape == (4, 4) and (scale.grad != 0).all()


def test_a_trained_scale_moves_factor_and_channel():
    """Descent from one scale far from the best for all blocks gives each its own factor."""
    torch.manual_seed(0)
    scheme, weight = TwoLevelScheme(), torch.randn(8, 64)
    scale = torch.full((8, 4), -0.6).requires_grad_()
    optimizer = torch.optim.SGD([scale], lr=0.05)
    before = scheme.storable(scale.detach())
    for _ in range(60):
        optimizer.zero_grad()
        values = learned_scale.fake_quantize(weight, scale, scheme)
        (values - weight).square().sum().backward()
        optimizer.step()
    after = scheme.storable(scale.detach())
    assert (before == before[0, 0]).all()
    factors = after / channel_scale(after)
    assert (factors != factors[:, :1]).any(1).float().mean() >= 0.5
    assert (channel_scale(after) != channel_scale(before)).all()
    error = (two_level_weight.fake_quantize(weight, scheme, after) - weight).square().sum()
    start = (two_level_weight.fake_quantize(weight, scheme, before) - weight).square().sum()
    assert error < 0.7 * start


@SCHEMES
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"large", "small"}))
@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_scales_are_storable_and_better(scheme, name, weighted):
    weight = torch.from_numpy(cases.weights(0)[name])
    importance = torch.rand(weight.shape[1]) + 0.1 if weighted else None
    fitted, _ = least_squares_scale.choose_params(weight, scheme, importance)
    assert (scheme.storable(fitted) == fitted).all()
    rule = two_level_weight.fake_quantize(weight, scheme)
    best = two_level_weight.fake_quantize(weight, scheme, fitted)
    factor = 1 if importance is None else importance
    errors = [((values - weight).square() * factor).sum() for values in (rule, best)]
    assert errors[1] <= errors[0] * 1.0001


def test_no_code_and_no_scale_differs_over_1000_seeds():
    mismatches = 0
    for seed in range(1000):
        for name in ("fine-tie-grid", "ragged-k"):
            weight = cases.weights(seed)[name]
            scheme = TwoLevelScheme((4, 3, 2)[seed % 3])
            codes, factors, channel = oracle(weight, scheme.bits)
            scale, _ = two_level_weight.choose_params(torch.from_numpy(weight), scheme)
            stored = two_level_weight.quantize(torch.from_numpy(weight), scale, scheme)
            mismatches += int((stored.numpy().reshape(codes.shape) != codes).sum())
            mismatches += int((scale.numpy() != factors * channel).sum())
    assert mismatches == 0


def test_autocast_and_half_inputs_do_not_move_codes():
    weight = torch.randn(16, 128, dtype=torch.bfloat16)
    expected = two_level_weight.fake_quantize(weight.float(), TwoLevelScheme())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = two_level_weight.fake_quantize(weight, TwoLevelScheme())
    assert values.dtype == torch.float32 and (values == expected).all()
