"""Activation codes: torch, the numpy oracle and the kernel (seen through unit weights) agree."""

import numpy as np
import pytest
import torch

from tests.oracles import matmul_nbits, sessions
from tests.quant import cases
from whisper_qat.quant import block_activation

NAMES = sorted(cases.activations(0))


def ours(x, block_size):
    scale, multiplier = block_activation.choose_params(torch.from_numpy(x), block_size)
    codes = block_activation.quantize(torch.from_numpy(x), multiplier, block_size)
    return codes.numpy(), scale.numpy()


@pytest.mark.parametrize("block_size", [32, 64, 128])
@pytest.mark.parametrize("name", NAMES)
def test_torch_equals_oracle(name, block_size):
    x = cases.activations(0)[name]
    codes, scale = ours(x, block_size)
    oracle_codes, oracle_scale = matmul_nbits.quantize_activation(x, block_size)
    assert (codes == oracle_codes).all() and (scale == oracle_scale).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("block_size", [32, 64, 128])
@pytest.mark.parametrize("name", NAMES)
def test_kernel_gives_the_same_codes(name, block_size, bits):
    x = cases.activations(0)[name]
    codes, scale = ours(x, block_size)
    seen = sessions.activation_codes(x, scale, block_size, bits)
    assert (seen == codes[:, : x.shape[1]]).all()


def test_no_code_differs_over_many_seeds():
    mismatches = 0
    for seed in range(200):
        x = cases.activations(seed)["scaled-ties"]
        codes, _ = ours(x, 32)
        oracle_codes, _ = matmul_nbits.quantize_activation(x, 32)
        mismatches += int((codes != oracle_codes).sum())
    assert mismatches == 0


def test_ties_can_see_the_order_of_operations():
    x = cases.activations(0)["scaled-ties"]
    codes, scale = ours(x, 32)
    parts = x.reshape(len(x), -1, 32)
    by_scale = np.rint(parts / scale[..., None]).reshape(len(x), -1)
    assert (by_scale != codes).any()


@pytest.mark.parametrize("name", NAMES)
def test_fake_quantize_is_dequantize_of_quantize(name):
    x = torch.from_numpy(cases.activations(0)[name])
    scale, multiplier = block_activation.choose_params(x, 32)
    codes = block_activation.quantize(x, multiplier, 32)
    expected = block_activation.dequantize(codes, scale, 32)[:, : x.shape[1]]
    assert (block_activation.fake_quantize(x, 32) == expected).all()


def test_codes_do_not_depend_on_the_rest_of_the_batch():
    x = torch.randn(3, 5, 64)
    alone = block_activation.fake_quantize(x[1:2, 2:3], 32)
    assert (block_activation.fake_quantize(x, 32)[1:2, 2:3] == alone).all()


def test_gradient_is_straight_through():
    x = torch.randn(2, 3, 64, requires_grad=True)
    gradient = torch.randn(2, 3, 64)
    block_activation.fake_quantize(x, 32).backward(gradient)
    assert x.grad is not None and (x.grad == gradient).all()


def test_arithmetic_is_float32_under_autocast():
    x = torch.randn(4, 128, dtype=torch.bfloat16)
    expected = block_activation.fake_quantize(x.float(), 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = block_activation.fake_quantize(x, 32)
    assert values.dtype == torch.float32 and (values == expected).all()
