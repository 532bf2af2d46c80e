"""Sensitivity: a part's effect is that of a model in which it alone is quantized."""

import pytest
import torch
from torch.nn import functional

from tests.export import cases
from tests.ptq.test_calibration import samples
from whisper_qat.model import forward
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, Rule
from whisper_qat.quant.scheme import FLOAT
from whisper_qat.sensitivity.effect import Probe

END = 2
INT2 = "block-int2-32"


def quantized(pattern=".*"):
    model = cases.tiny_whisper()
    apply_plan(model, plan(model, [Rule(pattern=pattern, scheme=INT2, why="")]))
    return model


@pytest.fixture(scope="module")
def probe():
    return Probe(quantized(), samples(), END)


def by_hand(pattern):
    """Loss and KL of a model in which only `pattern` was ever quantized."""
    plain, changed = cases.tiny_whisper(), quantized(pattern)
    loss = kl = tokens = 0
    for sample in samples():
        rows = []
        for model in (plain, changed):
            state = forward.start(model, forward.encode(model, sample.mel))
            rows.append(forward.decode(model, sample.tokens, state)[0, sample.prompt_length - 1 :])
        labels = torch.tensor([*sample.tokens[0, sample.prompt_length :], END])
        loss += functional.cross_entropy(rows[1], labels, reduction="sum").item()
        p, q = rows[0].double().log_softmax(-1), rows[1].double().log_softmax(-1)
        kl += (p.exp() * (p - q)).sum().item()
        tokens += len(labels)
    return loss / tokens, kl / tokens, tokens


@pytest.mark.parametrize(
    "name", ["model.encoder.layers.1.fc2", "model.decoder.layers.0.encoder_attn.v_proj"]
)
@torch.no_grad()
def test_a_part_alone(probe, name):
    effect = probe.measure([name])
    loss, kl, tokens = by_hand(name)
    assert effect.tokens == tokens == sum(s.tokens.shape[1] - 2 + 1 for s in samples())
    assert effect.loss == pytest.approx(loss, rel=1e-5)
    assert effect.kl == pytest.approx(kl, rel=1e-3) and kl > 0


def test_nothing_quantized_is_the_float_model(probe):
    assert probe.measure(()).kl == pytest.approx(0, abs=1e-8)


def test_embedding_and_head_are_told_apart(probe):
    effects = {name: probe.measure([name]).kl for name in (HEAD, TOKEN_TABLE)}
    both = probe.measure([HEAD, TOKEN_TABLE]).kl
    assert len({*effects.values(), both}) == 3 and min(effects.values()) > 0


def test_the_model_is_left_in_float(probe):
    probe.measure(list(fake_quantized(probe.model)))
    layers = fake_quantized(probe.model).values()
    assert {layer.stage for layer in layers} == {FLOAT} and not any(x.values is not None
                                                                    for x in layers)  # fmt: skip


def test_an_unknown_layer(probe):
    with pytest.raises(ValueError, match="not fake-quantized: model.nowhere"):
        probe.measure(["model.nowhere"])
