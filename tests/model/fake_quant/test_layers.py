"""Fake-quantized layers: exactly the quantization functions around an ordinary product."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from whisper_qat.model.fake_quant import layers
from whisper_qat.model.fake_quant.layers import FakeQuantEmbedding, FakeQuantLinear
from whisper_qat.quant import block_activation, block_weight
from whisper_qat.quant.block_scheme import BlockScheme

SCHEMES = [BlockScheme(bits=8, block_size=32), BlockScheme(bits=4, block_size=32)]


@pytest.fixture(params=SCHEMES, ids=lambda scheme: scheme.name)
def linear(request):
    torch.manual_seed(0)
    dense = nn.Linear(64, 48)
    return FakeQuantLinear(dense.weight, dense.bias, request.param)


@pytest.fixture
def model():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(20, 64))
    scheme = BlockScheme()
    table, head = FakeQuantEmbedding(weight, scheme), FakeQuantLinear(weight, None, scheme)
    return nn.ModuleDict({"table": table, "head": head})


X = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(1))


def test_forward_is_the_product_of_both_grids(linear):
    x = block_activation.fake_quantize(X, 32)
    weight = block_weight.fake_quantize(linear.weight, linear.scheme)
    assert (linear(X) == functional.linear(x, weight, linear.bias)).all()


def test_codes_and_scale_are_those_of_the_rule_until_one_is_fixed(linear):
    scale, _ = block_weight.choose_params(linear.weight, linear.scheme)
    assert (linear.scale() == scale).all()
    assert (linear.codes() == block_weight.quantize(linear.weight, scale, linear.scheme)).all()
    linear.weight_scale = scale * 2
    assert (linear.scale() == scale * 2).all()
    assert (linear.codes() != block_weight.quantize(linear.weight, scale, linear.scheme)).any()
    expected = block_weight.fake_quantize(linear.weight, linear.scheme, scale * 2)
    assert (linear.quantized_weight() == expected).all()


def test_gradient_reaches_weight_bias_and_input(linear):
    x = X.clone().requires_grad_()
    linear(x).sum().backward()
    assert linear.weight.grad.abs().sum() > 0 and linear.bias.grad.abs().sum() > 0
    quantized = block_weight.fake_quantize(linear.weight, linear.scheme).detach()
    assert torch.allclose(x.grad, quantized.sum(0).expand_as(x), atol=1e-5)


@pytest.mark.parametrize("fixed", [False, True])
def test_rows_looked_up_are_rows_of_the_quantized_table(model, fixed):
    table = model["table"]
    if fixed:
        table.weight_scale = table.scale() * 1.5
    tokens = torch.tensor([[3, 0, 19], [7, 7, 1]])
    expected = table.quantized_weight()[tokens]
    assert (table(tokens) == expected).all()


def test_table_and_head_share_one_grid(model):
    assert (model["table"].codes() == model["head"].codes()).all()
    assert set(layers.fake_quantized(model)) == {"table", "head"}


def test_quantized_once_changes_nothing_but_the_work(model):
    tokens = torch.tensor([[1, 2]])
    before = model["head"](model["table"](tokens))
    with layers.quantized_once(model):
        assert model["table"].values is model["head"].values
        assert (model["head"](model["table"](tokens)) == before).all()
    assert model["table"].values is None and model["head"].values is None


@pytest.mark.parametrize(
    "block",
    [layers.quantized_once, layers.activations_in_float, layers.summed_in_reverse],
    ids=lambda block: block.__name__,
)
def test_a_block_is_undone_after_an_error(model, block):
    before = [dict(vars(layer)) for layer in model.values()]
    with pytest.raises(RuntimeError, match="inside"), block(model):
        assert [vars(layer) for layer in model.values()] != before
        raise RuntimeError("inside")
    assert [vars(layer) for layer in model.values()] == before


def test_training_moves_the_codes_after_quantized_once(model):
    head = model["head"]
    with layers.quantized_once(model):
        inside = head(X)
    with torch.no_grad():
        head.weight.add_(torch.randn_like(head.weight))
    assert (head(X) != inside).any()


@pytest.mark.parametrize("factor", [1.0, 0.37])
def test_settled_weights_give_the_same_and_are_the_only_copy(model, factor):
    scale = model["head"].scale() * factor  # below 1 some weights are clipped
    for layer in model.values():
        layer.fix_scale(scale)
    tokens = torch.tensor([[1, 2]])
    before, codes = model["head"](model["table"](tokens)), model["head"].codes()
    layers.settle(model)
    assert torch.equal(model["head"](model["table"](tokens)), before)
    assert torch.equal(model["head"].codes(), codes)
    storage = model["head"].weight.data_ptr()
    with layers.quantized_once(model):
        assert model["head"].values.data_ptr() == model["table"].values.data_ptr() == storage
    assert model["head"].values.data_ptr() == storage


def test_a_scale_that_follows_the_weights_cannot_settle(model):
    with pytest.raises(AssertionError, match="needs a scale that stays"):
        layers.settle(model)


def test_gradient_of_looked_up_rows_reaches_the_table_and_only_them(model):
    model["table"](torch.tensor([[3, 7]])).sum().backward()
    expected = torch.zeros(20, 64)
    expected[[3, 7]] = 1.0
    assert (model["table"].weight.grad == expected).all()


def test_activations_in_float_leaves_only_the_weights_quantized(linear):
    weight = block_weight.fake_quantize(linear.weight, linear.scheme)
    with layers.activations_in_float(linear):
        assert (linear(X) == functional.linear(X, weight, linear.bias)).all()
    assert linear.quantize_activation


def test_the_reverse_sum_differs_by_rounding_alone(linear):
    forward = linear(X)
    with layers.summed_in_reverse(linear):
        reverse = linear(X)
    assert torch.allclose(forward, reverse, atol=1e-5)
    assert not linear.reverse_sum


def test_products_may_run_in_bf16_and_codes_stay(linear):
    codes = linear.codes()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = linear(X)
        assert (linear.codes() == codes).all()
    assert y.dtype == torch.bfloat16 and torch.allclose(y.float(), linear(X), atol=0.1)
