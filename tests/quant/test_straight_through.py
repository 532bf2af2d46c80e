"""Straight-through: any values forwards, the gradient as it came backwards."""

import torch

from whisper_qat.quant.straight_through import straight_through


def test_values_forwards_identity_backwards():
    x = torch.tensor([0.4, -1.6, 2.5], requires_grad=True)
    y = straight_through(x, torch.round)
    assert y.tolist() == [0.0, -2.0, 2.0]
    y.backward(torch.tensor([1.0, -2.0, 0.5]))
    assert x.grad.tolist() == [1.0, -2.0, 0.5]


def test_nothing_inside_is_differentiated():
    x, scale = torch.ones(3, requires_grad=True), torch.tensor(0.7, requires_grad=True)
    straight_through(x, lambda x: x / scale).sum().backward()
    assert scale.grad is None and x.grad.tolist() == [1.0, 1.0, 1.0]


def test_without_a_gradient_it_is_the_function():
    with torch.no_grad():
        y = straight_through(torch.tensor([0.4]), torch.round)
    assert y.tolist() == [0.0] and not y.requires_grad
