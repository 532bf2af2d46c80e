"""float16 storage: the values that two bytes hold, gradient straight through."""

import numpy as np
import torch

from whisper_qat.quant import half

# 1 + 2^-11 lies halfway between two float16 values, as does 1 + 3 * 2^-11.
HARD = torch.tensor([0.0, 1 + 2**-11, 1 + 3 * 2**-11, -65504.0, 6e-8, 1e-9, 0.1])


def test_values_are_numpys_float16():
    expected = HARD.numpy().astype(np.float16).astype(np.float32)
    assert (half.dequantize(half.quantize(HARD)).numpy() == expected).all()
    assert (half.fake_quantize(HARD).numpy() == expected).all()
    assert (half.fake_quantize(HARD) != HARD).sum() == 5


def test_rounding_twice_changes_nothing():
    once = half.fake_quantize(HARD)
    assert (half.fake_quantize(once) == once).all()


def test_the_gradient_goes_straight_through():
    weight = HARD.clone().requires_grad_()
    (half.fake_quantize(weight) * torch.arange(7.0)).sum().backward()
    assert (weight.grad == torch.arange(7.0)).all()
