"""The baseline's grid is ORT's, fixed once and for the whole plan."""

import torch

from tests.export import cases
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.ptq.round_to_nearest import round_to_nearest
from whisper_qat.quant import block_weight


def test_scales_are_orts_and_stay():
    model = cases.tiny_whisper()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    made = round_to_nearest(model, default_rules("int4", 32))
    assert set(made.quantized()) == set(fake_quantized(model)) - {"proj_out"}
    for name, layer in fake_quantized(model).items():
        weight = before.get(f"{name}.weight", before["model.decoder.embed_tokens.weight"])
        scale, _ = block_weight.choose_params(weight, layer.scheme)
        assert torch.equal(layer.weight_scale, scale)


def test_float_weights_do_not_move():
    model = cases.tiny_whisper()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    round_to_nearest(model, default_rules("int8", 32))
    after = dict(model.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
