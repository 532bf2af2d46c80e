"""Warm start: GPTQ's codes, and weights that moved only where the codes asked for it."""

import pytest
import torch

from tests.export import cases
from tests.ptq.test_calibration import samples
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, default_rules
from whisper_qat.ptq.gptq import gptq
from whisper_qat.ptq.warm_start import EDGE, nearest_with_codes, start_from_gptq
from whisper_qat.quant import block_weight
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.train import scales

SCHEME = BlockScheme(4, 16)


@pytest.mark.parametrize("quantization_type", ["int4", "int3", "int2"])
def test_codes_and_scales_are_gptqs_and_weights_nearer_to_the_float_ones(quantization_type):
    rules = default_rules(quantization_type, 32)
    plain, by_gptq, warm = (cases.tiny_whisper() for _ in range(3))
    gptq(by_gptq, rules, samples(), lambda name: None)
    apply_plan(warm, plan(warm, rules))
    start_from_gptq(warm, samples(), lambda name: None)
    expected, found = fake_quantized(by_gptq), fake_quantized(warm)
    float_weights = dict(plain.named_parameters())
    for name, layer in found.items():
        assert torch.equal(layer.codes(), expected[name].codes())
        assert torch.equal(layer.scale(), expected[name].scale())
        weight = float_weights[f"{TOKEN_TABLE if name == HEAD else name}.weight"]
        moved = (layer.weight - weight).abs().sum()
        assert 0 < moved < 0.8 * (expected[name].weight - weight).abs().sum()


def test_learned_scales_get_gptqs_values_in_place():
    rules = default_rules("int4", 32)
    fixed, learning = cases.tiny_whisper(), cases.tiny_whisper()
    for model in (fixed, learning):
        apply_plan(model, plan(model, rules))
    scales.learn(learning)
    before = {name: layer.weight_scale for name, layer in fake_quantized(learning).items()}
    for model in (fixed, learning):
        start_from_gptq(model, samples(), lambda name: None)
    for name, layer in fake_quantized(learning).items():
        assert layer.weight_scale is before[name]
        assert torch.equal(layer.scale(), fake_quantized(fixed)[name].scale())


def test_by_hand():
    weight = torch.zeros(1, 16)
    weight[0, :4] = torch.tensor([0.3, 0.3, -20.0, 9.0])
    codes = torch.full((1, 16), 8)
    codes[0, :4] = torch.tensor([8, 9, 0, 14])
    found = nearest_with_codes(weight, codes, torch.ones(1, 1), SCHEME)[0, :4]
    assert found.tolist() == pytest.approx([0.3, 0.5 + EDGE, -20.0, 6.5 - EDGE])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_any_codes_are_reached_with_a_scale_of_either_sign(sign):
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 40, generator=rng)
    scale = torch.full((6, 3), 0.2 * sign)
    codes = torch.randint(0, 16, (6, 48), generator=rng)
    codes[:, 40:] = 8  # what pads a weight of 40 columns
    moved = nearest_with_codes(weight, codes, scale, SCHEME)
    assert torch.equal(block_weight.quantize(moved, scale, SCHEME).long(), codes)


def test_a_block_of_scale_zero_keeps_its_weights():
    weight = torch.full((1, 16), 1e-9)
    codes = torch.full((1, 16), 8)
    assert torch.equal(nearest_with_codes(weight, codes, torch.zeros(1, 1), SCHEME), weight)
