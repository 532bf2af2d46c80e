"""Scope: teacher forcing forms the ranges of inference, layer by layer and for whole models."""

import pytest
import torch

from tests.train.tiny_run import tiny_whisper
from whisper_qat.model import forward
from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.model.plan.plan import TOKEN_TABLE, Rule

DYNAMIC = [
    Rule(pattern=TOKEN_TABLE, scheme="block-int8-32", why="looked up"),
    Rule(pattern=".*", scheme="int8-dynamic", why="all"),
]
PROMPT = 3
TOKENS = torch.tensor([[3, 5, 7, 9, 11, 4, 2], [3, 6, 8, 10, 12, 1, 9]])


def dynamic_model():
    model = tiny_whisper()
    apply_plan(model, plan(model, DYNAMIC))
    return model.eval()


def test_only_what_runs_step_by_step_is_divided():
    model = dynamic_model()
    set_prompt_length(model, PROMPT)
    layers = {n: m for n, m in fake_quantized(model).items() if isinstance(m, FakeQuantLinear)}
    whole = {n for n, m in layers.items() if m.first_call is None}
    cross = {n for n in layers if n.endswith(("encoder_attn.k_proj", "encoder_attn.v_proj"))}
    encoder = {n for n in layers if n.startswith("model.encoder.")}
    assert cross and encoder and whole == cross | encoder | {"proj_out"}
    assert all(m.first_call == PROMPT for n, m in layers.items() if n not in whole)
    set_prompt_length(model, None)
    assert all(m.first_call is None for m in layers.values())


def mel():
    return torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(2))


def teacher_forced(model, mel, tokens):
    return forward.decode(model, tokens, forward.start(model, forward.encode(model, mel)))


def stepped(model, mel, tokens):
    """One utterance as the runtime has it: prompt, then a token a call."""
    state = forward.start(model, forward.encode(model, mel))
    ends = [PROMPT, *range(PROMPT + 1, tokens.shape[1] + 1)]
    starts = [0, *ends[:-1]]
    parts = [
        forward.decode(model, tokens[:, a:b], state) for a, b in zip(starts, ends, strict=True)
    ]
    return torch.cat(parts, dim=1)


@torch.no_grad()
def test_a_training_batch_has_the_ranges_of_single_stepped_utterances():
    """Both utterances in one call against each alone, step by step, with P unknown to it."""
    model, features = dynamic_model(), mel()
    features[1] *= 5  # another range: one over the batch would move the first utterance
    alone = [stepped(model, features[i : i + 1], TOKENS[i : i + 1]) for i in range(2)]
    wrong = teacher_forced(model, features, TOKENS)
    set_prompt_length(model, PROMPT)
    together = teacher_forced(model, features, TOKENS)
    expected = torch.cat(alone)
    right, off = (together - expected).norm(), (wrong - expected).norm()
    assert right <= 1e-4 * expected.norm() < 1e-3 * expected.norm() < off


@pytest.mark.parametrize("prompt_length", [None, PROMPT])
@torch.no_grad()
def test_stepped_decoding_does_not_depend_on_the_setting(prompt_length):
    model, features = dynamic_model(), mel()[:1]
    expected = stepped(model, features, TOKENS[:1])
    set_prompt_length(model, prompt_length)
    assert torch.equal(stepped(model, features, TOKENS[:1]), expected)


def test_padding_frames_belong_to_the_utterance():
    """A batch pads the short clip with its own silence, which then sets its range too."""
    model = dynamic_model()
    layer = model.get_submodule("model.encoder.layers.0.fc1")
    x = torch.randn(1, 6, layer.weight.shape[1])
    padded = torch.cat([x, torch.full_like(x[:, :1], 50.0)], dim=1)
    assert (layer(padded)[:, :6] != layer(x)).any()


def test_gradients_under_teacher_forcing_reach_every_layer():
    model = dynamic_model()
    set_prompt_length(model, PROMPT)
    teacher_forced(model, mel(), TOKENS).square().mean().backward()
    for name, layer in fake_quantized(model).items():
        gradient = layer.weight.grad
        assert gradient is not None and torch.isfinite(gradient).all(), name
        assert name.endswith("k_proj") or gradient.abs().sum() > 0, name
