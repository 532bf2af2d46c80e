"""Weight codes and scales: torch, the numpy oracle and ORT's own quantizer agree with ==."""

import numpy as np
import pytest
import torch
from onnxruntime.capi import _pybind_state as ort

from tests.oracles import matmul_nbits
from tests.quant import cases
from whisper_qat.quant import block_weight, packing
from whisper_qat.quant.block_scheme import BlockScheme

SCHEMES = [BlockScheme(bits=b, block_size=k) for b in (2, 4, 8) for k in (32, 64, 128)]
NAMES = sorted(cases.weights(0))


def ort_round_to_nearest(weight, scheme):
    rows, length = weight.shape
    blocks = scheme.num_blocks(length)
    packed = np.zeros((rows, blocks, scheme.block_size * scheme.bits // 8), np.uint8)
    scale = np.zeros(rows * blocks, np.float32)
    unused_zero_points = np.zeros(rows * blocks, np.uint8)
    quantize = {
        2: ort.quantize_matmul_2bits, 4: ort.quantize_matmul_4bits, 8: ort.quantize_matmul_8bits
    }[scheme.bits]  # fmt: skip
    transposed = np.ascontiguousarray(weight.T)
    block = scheme.block_size
    quantize(packed, transposed, scale, unused_zero_points, block, rows, length, True)
    return packing.unpack(packed, scheme)[:, :length], scale.reshape(rows, blocks)


def ours(weight, scheme):
    scale, zero_point = block_weight.choose_params(torch.from_numpy(weight), scheme)
    assert zero_point == 2 ** (scheme.bits - 1)
    return block_weight.quantize(torch.from_numpy(weight), scale, scheme).numpy(), scale.numpy()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", NAMES)
def test_three_parties_agree(name, scheme):
    weight = cases.weights(0)[name]
    codes, scale = ours(weight, scheme)
    oracle_codes, oracle_scale = matmul_nbits.round_to_nearest(
        weight, scheme.bits, scheme.block_size
    )
    ort_codes, ort_scale = ort_round_to_nearest(weight, scheme)
    length = weight.shape[1]
    assert (scale == oracle_scale).all() and (scale == ort_scale).all()
    assert (codes == oracle_codes).all()
    assert (codes[:, :length] == ort_codes).all()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_no_code_differs_over_many_seeds(scheme):
    mismatches = 0
    for seed in range(40):
        for weight in cases.weights(seed).values():
            codes, scale = ours(weight, scheme)
            ort_codes, ort_scale = ort_round_to_nearest(weight, scheme)
            mismatches += int((codes[:, : weight.shape[1]] != ort_codes).sum())
            mismatches += int((scale != ort_scale).sum())
    assert mismatches == 0


def test_the_tie_grid_can_see_the_rounding_rule():
    scheme = BlockScheme(bits=8, block_size=32)
    weight = cases.weights(0)["fine-tie-grid"]
    codes, scale = ours(weight, scheme)
    with np.errstate(divide="ignore"):
        reciprocal = np.where(scale == 0, 0, np.float32(1) / scale)
    value = weight.reshape(len(weight), -1, 32) * reciprocal[..., None] + np.float32(128)
    half_even = np.clip(np.rint(value), 0, 255).reshape(len(weight), -1)
    assert (half_even != codes).any()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", NAMES)
def test_fake_quantize_is_dequantize_of_quantize(name, scheme):
    weight = torch.from_numpy(cases.weights(0)[name])
    scale, _ = block_weight.choose_params(weight, scheme)
    codes = block_weight.quantize(weight, scale, scheme)
    expected = block_weight.dequantize(codes, scale, scheme)[:, : weight.shape[1]]
    assert (block_weight.fake_quantize(weight, scheme) == expected).all()
    assert (block_weight.fake_quantize(weight, scheme, scale) == expected).all()


def test_a_given_scale_fixes_the_grid_and_clips():
    weight = torch.tensor([[3.0, -3.0] + [0.25] * 30])
    scale = torch.full((1, 1), 0.5)
    values = block_weight.fake_quantize(weight, BlockScheme(bits=4, block_size=32), scale)
    assert values[0, :3].tolist() == [3.0, -3.0, 0.5]
    tight = torch.full((1, 1), 0.25)
    values = block_weight.fake_quantize(weight, BlockScheme(bits=4, block_size=32), tight)
    assert values[0, :3].tolist() == [1.75, -2.0, 0.25]


def test_a_subnormal_block_becomes_zero():
    weight = torch.full((1, 32), 1e-39)
    scheme = BlockScheme(bits=8, block_size=32)
    scale, _ = block_weight.choose_params(weight, scheme)
    assert scale.tolist() == [[0.0]]
    assert (block_weight.quantize(weight, scale, scheme) == 128).all()


def test_gradient_is_straight_through():
    weight = torch.randn(4, 64, requires_grad=True)
    gradient = torch.randn(4, 64)
    block_weight.fake_quantize(weight, BlockScheme()).backward(gradient)
    assert weight.grad is not None and (weight.grad == gradient).all()


def test_autocast_and_half_inputs_do_not_move_codes():
    weight = torch.randn(16, 128, dtype=torch.bfloat16)
    expected = block_weight.fake_quantize(weight.float(), BlockScheme())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = block_weight.fake_quantize(weight, BlockScheme())
    assert values.dtype == torch.float32 and (values == expected).all()
