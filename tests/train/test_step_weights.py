"""Step weights: the gradients of quantizing in every micro-batch, for one rounding a weight."""

import pytest
import torch

from tests.train.tiny_run import PROMPT, make_loop, tiny_whisper
from whisper_qat.model.fake_quant import layers
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.quant import learned_scale
from whisper_qat.quant.scheme import FLOAT
from whisper_qat.train import loop as loop_module
from whisper_qat.train import scales
from whisper_qat.train.objective import Whisper
from whisper_qat.train.step_weights import quantized_for_step


def model_with(start):
    model = tiny_whisper()
    apply_plan(model, plan(model, default_rules("int4", 32)))
    if start:
        scales.learn(model, start)
    return Whisper(model)


def backward(student, batches=2):
    tokens = torch.tensor([[*PROMPT, 7, 8]])
    for i in range(batches):
        mel = torch.randn(1, 8, 200, generator=torch.Generator().manual_seed(i))
        student(mel, tokens)[0].square().sum().backward()


def gradients(student):
    return {name: p.grad for name, p in student.named_parameters()}


@pytest.mark.parametrize("stage", [None, FLOAT])
@pytest.mark.parametrize("start", [None, "ort"])
def test_gradients_are_those_of_each_micro_batch_on_its_own(start, stage):
    plain, once = model_with(start), model_with(start)
    for student in (plain, once):
        for layer in fake_quantized(student).values():
            layer.stage = stage
    backward(plain)
    with quantized_for_step(once):
        backward(once)
    expected, found = gradients(plain), gradients(once)
    for name, gradient in expected.items():
        if gradient is None or not gradient.any():
            assert found[name] is None or not found[name].any()
        else:
            assert torch.allclose(
                found[name], gradient, rtol=1e-4, atol=1e-4 * gradient.abs().max()
            )


def test_each_weight_is_rounded_once(monkeypatch):
    calls = []
    kept = learned_scale.fake_quantize

    def counted(weight, scale, scheme):
        calls.append(weight.shape)
        return kept(weight, scale, scheme)

    monkeypatch.setattr(layers.learned_scale, "fake_quantize", counted)
    student = model_with("ort")
    with quantized_for_step(student):
        backward(student, batches=3)
    assert len(calls) == len(fake_quantized(student)) - 1  # the tied head shares its table's


def test_nothing_is_left_behind_after_an_error():
    student = model_with(None)
    with pytest.raises(RuntimeError, match="stop"), quantized_for_step(student):
        raise RuntimeError("stop")
    assert all(layer.values is None for layer in fake_quantized(student).values())


def test_the_loop_uses_it(tmp_path, monkeypatch):
    entered = []
    loop = make_loop(tmp_path, "int4", num_epochs=1)
    kept = loop_module.quantized_for_step
    monkeypatch.setattr(loop_module, "quantized_for_step", lambda m: entered.append(m) or kept(m))
    loop.run(lambda metrics: None)
    assert len(entered) == loop.total
