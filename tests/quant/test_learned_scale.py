"""Learned scales: the grid of `block_weight`, and LSQ's gradients by hand."""

import pytest
import torch

from tests.quant import cases
from whisper_qat.quant import block_weight, learned_scale
from whisper_qat.quant.block_scheme import BlockScheme

SCHEMES = [BlockScheme(b, k, d) for b in (2, 4, 8) for k in (32, 128)
           for d in ("float32", "float16")]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", sorted(cases.weights(0)))
def test_values_are_those_of_the_fixed_grid(name, scheme):
    weight = torch.from_numpy(cases.weights(0)[name])
    scale = block_weight.choose_params(weight, scheme)[0] * 0.7
    found = learned_scale.fake_quantize(weight, scale, scheme)
    expected = block_weight.fake_quantize(weight, scheme, scheme.storable(scale))
    assert torch.equal(found, expected)


def test_gradients_by_hand():
    scheme = BlockScheme(bits=4, block_size=16)  # codes -8 .. 7
    weight = torch.zeros(1, 16)
    weight[0, :5] = torch.tensor([0.6, -0.3, 9.0, -20.0, 7.4])
    weight.requires_grad_()
    scale = torch.ones(1, 1, requires_grad=True)
    values = learned_scale.fake_quantize(weight, scale, scheme)
    assert values[0, :5].tolist() == [1, 0, 7, -8, 7]
    values.sum().backward()
    slope = (1 - 0.6) + (0 + 0.3) + 7 - 8 + (7 - 7.4)
    assert scale.grad.item() == pytest.approx(slope / (16 * 7) ** 0.5, rel=1e-5)
    assert weight.grad[0].tolist() == [1, 1, 0, 0, 1] + [1] * 11


def test_a_negative_scale_mirrors_the_gradient():
    scheme = BlockScheme(bits=4, block_size=16)
    weight = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    grads = []
    for sign in (1.0, -1.0):
        scale = torch.full((2, 1), 0.3 * sign, requires_grad=True)
        learned_scale.fake_quantize(sign * weight, scale, scheme).square().sum().backward()
        grads.append(scale.grad * sign)
    assert torch.allclose(*grads)


def test_an_all_zero_block_has_no_gradient_that_is_not_finite():
    scheme = BlockScheme(bits=4, block_size=32)
    weight = torch.zeros(3, 64, requires_grad=True)
    scale = torch.zeros(3, 2, requires_grad=True)
    learned_scale.fake_quantize(weight, scale, scheme).sum().backward()
    assert torch.isfinite(scale.grad).all() and torch.isfinite(weight.grad).all()


def test_following_the_scales_gradient_lowers_the_squared_error():
    scheme = BlockScheme(bits=4, block_size=32)
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))
    scale = (block_weight.choose_params(weight, scheme)[0] * 2).requires_grad_()
    optimizer = torch.optim.SGD([scale], lr=0.02)
    errors = []
    for _ in range(60):
        error = (learned_scale.fake_quantize(weight, scale, scheme) - weight).square().sum()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]
