"""Curriculum: stages as a function of the step, evaluation always as planned."""

import pytest
import torch

from tests.train.tiny_run import tiny_whisper
from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import TOKEN_TABLE, default_rules
from whisper_qat.quant import block_weight
from whisper_qat.quant.scheme import FLOAT
from whisper_qat.train import curriculum, scales
from whisper_qat.train.curriculum import Curriculum, Stage

LAYER = "model.encoder.layers.0.fc1"


def planned(start=None):
    model = tiny_whisper()
    apply_plan(model, plan(model, default_rules("int2", 32)))
    if start:
        scales.learn(model, start)
    return model


def test_stages_are_parsed():
    expected = (Stage("float", 0.1), Stage("int8", 0.25))
    assert curriculum.parse("float:0.1, int8:.25") == expected
    assert curriculum.parse("") == ()


@pytest.mark.parametrize("text", ["int8", "int6:0.1", "int8:1.5", "int8:x", "int8:0.1;int4:0.1"])
def test_mistakes_in_a_stage(text):
    with pytest.raises(InputError, match="is not STAGE:SHARE with a stage of float, int8, int4"):
        curriculum.parse(text)


def test_the_plan_must_get_steps():
    with pytest.raises(InputError, match="the shares leave no step for the plan itself"):
        curriculum.parse("float:0.5,int8:0.5")


def test_each_step_has_its_stage_and_finer_plans_stay():
    model = planned()
    stages = Curriculum(model, curriculum.parse("float:0.2,int8:0.3,int4:0.2"), None)
    layers, found = fake_quantized(model), []
    for step in range(10):
        stages.begin_step(step, 10)
        found.append(layers[LAYER].stage)
    bits = [s if s is None or s == FLOAT else s.bits for s in found]
    assert bits == [FLOAT] * 2 + [8] * 3 + [4] * 2 + [None] * 3
    stages.begin_step(3, 10)
    assert layers[TOKEN_TABLE].stage is None  # planned in 8 bits: already there


def test_a_stage_changes_what_is_computed():
    model = planned()
    layer = fake_quantized(model)[LAYER]
    float_weight, x = layer.weight, torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    stages = Curriculum(model, curriculum.parse("float:0.3,int8:0.3"), None)
    stages.begin_step(0, 10)
    assert layer.quantized_weight() is float_weight
    expected = torch.nn.functional.linear(x, float_weight, layer.bias)
    assert torch.equal(layer(x), expected)
    stages.begin_step(4, 10)
    eight = block_weight.fake_quantize(float_weight, layer.stage)
    assert layer.stage.bits == 8 and torch.equal(layer.quantized_weight(), eight)
    stages.begin_step(9, 10)
    assert len(layer.quantized_weight()[0].unique()) <= 4


def test_learned_scales_start_where_the_plan_begins():
    model = planned("ort")
    layer = fake_quantized(model)[LAYER]
    stages = Curriculum(model, curriculum.parse("int8:0.5"), lambda: scales.restart(model, "ort"))
    layer.weight.data.mul_(3)
    before = layer.weight_scale.detach().clone()
    stages.begin_step(4, 10)
    assert torch.equal(layer.weight_scale, before)
    stages.begin_step(5, 10)
    assert torch.equal(
        layer.weight_scale, block_weight.choose_params(layer.weight, layer.scheme)[0]
    )
    layer.weight.data.mul_(3)
    stages.begin_step(6, 10)
    assert not torch.equal(
        layer.weight_scale, block_weight.choose_params(layer.weight, layer.scheme)[0]
    )


def test_evaluation_is_as_planned_and_the_stage_comes_back():
    model = planned()
    layer = fake_quantized(model)[LAYER]
    stages = Curriculum(model, curriculum.parse("float:0.5"), None)
    stages.begin_step(0, 10)
    with stages.as_planned():
        assert layer.stage is None
    assert layer.stage == FLOAT
