"""The least-squares baseline: nearer to the weights than ORT's rule, in every block."""

import torch

from tests.export import cases
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, default_rules
from whisper_qat.ptq.least_squares import least_squares
from whisper_qat.quant import block_weight, blocks


def test_every_block_is_at_least_as_near_as_orts():
    model = cases.tiny_whisper()
    made = least_squares(model, default_rules("int4", 32))
    assert {entry.name for entry in made.layers} >= set(fake_quantized(model)) - {HEAD}
    better = 0
    for layer in fake_quantized(model).values():
        weight = layer.weight.detach()
        mine = block_errors(layer, layer.quantized_weight().detach())
        orts = block_errors(layer, block_weight.fake_quantize(weight, layer.scheme))
        assert (mine <= orts * 1.0001 + 1e-12).all()
        better += int((mine < orts * 0.99).sum())
    assert better > 100


def block_errors(layer, values):
    return blocks.split((values - layer.weight.detach()).square(), layer.scheme.block_size).sum(-1)


def test_float_weights_do_not_move_and_the_table_is_chosen_once():
    model = cases.tiny_whisper()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    least_squares(model, default_rules("int8", 32))
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    layers = fake_quantized(model)
    assert torch.equal(layers[TOKEN_TABLE].scale(), layers[HEAD].scale())
