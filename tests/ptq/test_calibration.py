"""Calibration: every layer once, on the inputs that it will have when deployed."""

import pytest
import torch

from tests.export import cases
from whisper_qat.model import forward
from whisper_qat.model.checkpoint.final import fix_scales
from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, Rule, default_rules
from whisper_qat.ptq.calibration import Sample, channel_squares, fit_layers, second_moment
from whisper_qat.quant import block_activation

BLOCK = 32


def samples(number=3):
    rng = torch.Generator().manual_seed(0)
    return [
        Sample(
            torch.randn(1, 8, 20 + 10 * i, generator=rng),
            torch.randint(0, 97, (1, 4 + i), generator=rng),
            2,
        )
        for i in range(number)
    ]


@pytest.fixture
def model():
    model = cases.tiny_whisper()
    apply_plan(model, plan(model, default_rules("int4", BLOCK)))
    fix_scales(model)
    return model


def names_of(model):
    return {layer: name for name, layer in fake_quantized(model).items()}


def test_every_quantized_layer_is_fitted_once_in_the_order_of_the_forward(model):
    fitted, names, blocks = [], names_of(model), []
    fit_layers(
        model, samples(), channel_squares, lambda layer, s: fitted.append(names[layer]),
        blocks.append,
    )  # fmt: skip
    assert sorted(fitted) == sorted(set(names.values()) - {TOKEN_TABLE})
    assert fitted[0].startswith("model.encoder.layers.0.") and fitted[-1] == HEAD
    assert blocks == ["encoder layer 0", "encoder layer 1", "decoder layer 0", "decoder layer 1",
                      "proj_out"]  # fmt: skip


def test_statistics_are_those_of_the_deployed_inputs(model):
    found, names = {}, names_of(model)
    fit_layers(model, samples(), second_moment, lambda layer, s: found.update({names[layer]: s}))
    expected = deployed_moments(model, samples())
    # The first layer of a block hears exactly what it will hear; only the head and these are
    # unaffected by what their own block rounds later.
    for name in ("model.encoder.layers.1.self_attn.q_proj", "model.decoder.layers.0.encoder_attn."
                 "k_proj", "model.decoder.layers.1.self_attn.v_proj", HEAD):  # fmt: skip
        assert torch.allclose(found[name], expected[name], rtol=1e-5, atol=1e-5), name
    inside = "model.encoder.layers.0.fc2"
    assert not torch.allclose(found[inside], expected[inside], rtol=1e-5, atol=1e-5)


def deployed_moments(model, clips):
    moments = {}

    def count(name):
        def hook(layer, inputs):
            x = block_activation.fake_quantize(inputs[0], BLOCK).flatten(0, -2)
            moments[name] = moments.get(name, 0) + x.T @ x

        return hook

    handles = [
        layer.register_forward_pre_hook(count(name))
        for name, layer in fake_quantized(model).items()
        if isinstance(layer, FakeQuantLinear)
    ]
    with torch.no_grad():
        for clip in clips:
            state = forward.start(model, forward.encode(model, clip.mel))
            forward.decode(model, clip.tokens, state)
    for handle in handles:
        handle.remove()
    return moments


def test_channel_squares_are_the_diagonal():
    x = torch.randn(50, 7)
    assert torch.allclose(channel_squares(x), second_moment(x).diagonal())


def test_layers_in_float_are_left_alone():
    model = cases.tiny_whisper()
    rules = [Rule(pattern=r".*encoder\.layers.*fc1", scheme="block-int4-32", why="")]
    apply_plan(model, plan(model, rules))
    fix_scales(model)
    fitted, names = [], names_of(model)
    fit_layers(model, samples(), channel_squares, lambda layer, s: fitted.append(names[layer]))
    assert fitted == ["model.encoder.layers.0.fc1", "model.encoder.layers.1.fc1"]


def test_nothing_is_left_behind(model):
    fit_layers(model, samples(), channel_squares, lambda layer, s: None)
    for layer in fake_quantized(model).values():
        assert layer.stage is None and layer.values is None and not layer._forward_pre_hooks
        assert getattr(layer, "first_call", None) is None
