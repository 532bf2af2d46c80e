"""Learned scales of a model: one Parameter per weight, started and restarted by a rule."""

import pytest
import torch

from tests.train.tiny_run import tiny_whisper
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, default_rules
from whisper_qat.quant import block_weight, least_squares_scale
from whisper_qat.train import scales


@pytest.fixture
def model():
    model = tiny_whisper()
    apply_plan(model, plan(model, default_rules("int4", 32)))
    return model


@pytest.mark.parametrize(
    ("start", "rule"), [("ort", block_weight), ("least-squares", least_squares_scale)]
)
def test_scales_start_by_the_rule(model, start, rule):
    scales.learn(model, start)
    for layer in fake_quantized(model).values():
        assert isinstance(layer.weight_scale, torch.nn.Parameter)
        assert torch.equal(layer.weight_scale, rule.choose_params(layer.weight, layer.scheme)[0])


def test_the_tied_head_shares_its_tables_scale(model):
    scales.learn(model, "ort")
    layers = fake_quantized(model)
    assert layers[HEAD].weight_scale is layers[TOKEN_TABLE].weight_scale
    assert len(scales.learned_scales(model)) == len(layers) - 1


def test_restarting_follows_the_weights_in_place(model):
    scales.learn(model, "ort")
    layer = fake_quantized(model)["model.encoder.layers.0.fc1"]
    parameter = layer.weight_scale
    layer.weight.data.mul_(2)
    scales.restart(model, "ort")
    assert layer.weight_scale is parameter
    assert torch.equal(parameter, block_weight.choose_params(layer.weight, layer.scheme)[0])


def test_without_learned_scales_there_is_nothing_to_restart(model):
    scales.restart(model, "ort")
    assert scales.learned_scales(model) == {}
