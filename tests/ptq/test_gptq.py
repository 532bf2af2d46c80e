"""The calibrated baselines on a whole model: less output error, codes that are the layers' own."""

import pytest
import torch

from tests.export import cases
from tests.ptq.test_calibration import samples
from whisper_qat.model import forward
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, Rule, default_rules
from whisper_qat.ptq import gptq
from whisper_qat.ptq.least_squares import least_squares
from whisper_qat.quant import block_weight


def quiet(name):
    pass


def encoder_error(made):
    """Squared distance of encoder states to the float model's, over the calibration samples."""
    with torch.no_grad():
        float_model = cases.tiny_whisper()
        return sum(
            float((forward.encode(made, s.mel) - forward.encode(float_model, s.mel)).square().sum())
            for s in samples()
        )


@pytest.mark.parametrize("kind", ["int8", "int4", "int3", "int2"])
def test_gptq_is_nearer_to_the_float_encoder_than_least_squares(kind):
    plain, fed = cases.tiny_whisper(), cases.tiny_whisper()
    least_squares(plain, default_rules(kind, 32))
    gptq.gptq(fed, default_rules(kind, 32), samples(), quiet)
    assert encoder_error(fed) < encoder_error(plain)


@pytest.mark.parametrize("method", [gptq.gptq, gptq.weighted_least_squares])
@pytest.mark.parametrize("kind", ["int8", "int4", "int2"])
def test_table_and_head_share_one_grid(method, kind):
    model = cases.tiny_whisper()
    rules = [Rule(pattern=TOKEN_TABLE, scheme=f"block-{kind}-32-f16", why=""),
             *default_rules(kind, 32)]  # fmt: skip
    method(model, rules, samples(), quiet)
    layers = fake_quantized(model)
    assert torch.equal(layers[TOKEN_TABLE].scale(), layers[HEAD].scale())
    assert torch.equal(layers[TOKEN_TABLE].codes(), layers[HEAD].codes())


def test_gptq_weights_are_on_the_grid_and_scales_float16():
    model = cases.tiny_whisper()
    gptq.gptq(model, default_rules("int4", 32), samples(), quiet)
    for layer in fake_quantized(model).values():
        scale = layer.scale()
        assert torch.equal(scale, scale.half().float())
        moved = block_weight.fake_quantize(layer.weight.detach(), layer.scheme, scale)
        assert torch.equal(moved, layer.weight)


def test_weighted_least_squares_moves_no_weight_and_differs_from_plain():
    model, plain = cases.tiny_whisper(), cases.tiny_whisper()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    gptq.weighted_least_squares(model, default_rules("int4", 32), samples(), quiet)
    least_squares(plain, default_rules("int4", 32))
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    name = "model.encoder.layers.0.fc2"
    assert not torch.equal(fake_quantized(model)[name].scale(), fake_quantized(plain)[name].scale())


def test_a_plan_with_channel_scales():
    model = cases.tiny_whisper()
    rules = [Rule(pattern=r".*\.fc[12]", scheme="int8-dynamic", why=""),
             Rule(pattern=r".*layers.*", scheme="block-int4-32-f16", why="")]  # fmt: skip
    made = gptq.gptq(model, rules, samples(), quiet)
    fc1 = fake_quantized(model)["model.decoder.layers.0.fc1"]
    assert fc1.scale().shape == (80, 1) and len(made.quantized()) == 32
