"""float16 storage of layers that stay float: forward on float16 values, parameters as before."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from whisper_qat.model.fake_quant.half_storage import (
    HalfConv1d,
    HalfLinear,
    half_storages,
    in_half,
    positions,
)


def half(x):
    return x.to(torch.float16).to(torch.float32)


def test_each_form_computes_with_the_rounded_weight_and_the_float_bias():
    torch.manual_seed(0)
    conv, linear = nn.Conv1d(3, 4, 3, stride=2, padding=1), nn.Linear(5, 6)
    x, y = torch.randn(2, 3, 10), torch.randn(2, 5)
    found = in_half(conv)
    assert isinstance(found, HalfConv1d) and found.weight is conv.weight
    expected = functional.conv1d(x, half(conv.weight), conv.bias, stride=2, padding=1)
    assert torch.equal(found(x), expected) and not torch.equal(found(x), conv(x))
    assert isinstance(in_half(linear), HalfLinear)
    assert torch.equal(in_half(linear)(y), functional.linear(y, half(linear.weight), linear.bias))


def test_positions_of_both_forms():
    table = nn.Embedding(7, 4)
    assert positions(table) is table.weight
    assert torch.equal(positions(in_half(table)), half(table.weight))


def test_the_gradient_reaches_the_float_weight():
    layer = in_half(nn.Linear(3, 2))
    layer(torch.ones(1, 3)).sum().backward()
    assert torch.equal(layer.weight.grad, torch.ones(2, 3))


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError, match="LayerNorm: no float16 form"):
        in_half(nn.LayerNorm(4))


def test_half_stored_finds_them_by_name():
    model = nn.Sequential(nn.Linear(2, 2), in_half(nn.Linear(2, 2)))
    assert set(half_storages(model)) == {"1"}
