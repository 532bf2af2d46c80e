"""1,000 seeds per block scheme and for int8-row: torch, numpy and the kernel agree in every code.

All seeds go through the kernel in one call: rows of activations and of weights are on their own.
"""

import numpy as np
import pytest
import torch
from onnx import TensorProto

from tests.oracles import matmul_nbits, sessions
from whisper_qat.infer.kernels import row_check
from whisper_qat.quant import block_activation, block_weight, packing, row_activation
from whisper_qat.quant.block_scheme import BlockScheme

SEEDS, LENGTH = 1000, 64
SCHEMES = [BlockScheme(b, 32, d) for b in (2, 4, 8) for d in ("float32", "float16")]


def drawn(seed):
    """Four rows [4, LENGTH]: normal, a tie grid, one-sided with an outlier, mostly zero."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(LENGTH)
    ties = rng.integers(-254, 255, LENGTH) / 2
    # Scale 1 for 8-bit weights or for activations, so that every half is a tie.
    ties[::32] = -128 if seed % 2 else -127
    one_sided = np.abs(rng.standard_normal(LENGTH))
    one_sided[rng.integers(LENGTH)] *= 40
    sparse = np.where(rng.random(LENGTH) < 0.05, normal, 0.0)
    rows = np.stack([normal, ties * rng.choice([1.0, 0.25]), one_sided, sparse])
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def rows():
    return np.concatenate([drawn(seed) for seed in range(SEEDS)])


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_weights(rows, scheme):
    weight = torch.from_numpy(rows)
    scale, _ = block_weight.choose_params(weight, scheme)
    codes = block_weight.quantize(weight, scale, scheme).numpy()
    oracle_codes, oracle_scale = matmul_nbits.round_to_nearest(
        rows, scheme.bits, 32, scheme.scale_dtype
    )
    assert (codes == oracle_codes).all() and (scale.numpy() == oracle_scale).all()
    # Unit activations return single weights: the kernel must read the very codes.
    x = np.eye(LENGTH, dtype=np.float32)
    packed = packing.pack(codes, scheme)
    seen = sessions.matmul_nbits(x, packed, np.ones_like(oracle_scale), scheme.bits, 32).T
    assert (np.rint(seen) + scheme.zero_point == codes).all()
    assert np.abs(seen - np.rint(seen)).max() < 0.01


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_activations(rows, bits):
    scale, multiplier = block_activation.choose_params(torch.from_numpy(rows), 32)
    codes = block_activation.quantize(torch.from_numpy(rows), multiplier, 32).numpy()
    oracle_codes, oracle_scale = matmul_nbits.quantize_activation(rows, 32)
    assert (codes == oracle_codes).all() and (scale.numpy() == oracle_scale).all()
    assert (sessions.activation_codes(rows, scale.numpy(), 32, bits) == codes).all()


def test_row_activations(rows):
    scale, zero_point = row_activation.choose_params(torch.from_numpy(rows))
    codes = row_activation.quantize(torch.from_numpy(rows), scale).numpy()
    expected, expected_scale = row_check.expected(rows)
    assert (scale.numpy() == expected_scale).all() and (codes == expected + zero_point).all()
    inputs = [rows, expected_scale[:, 0], np.full(len(rows), zero_point, np.uint8)]
    (seen,) = sessions.run_node("QuantizeLinear", inputs, output_types=[TensorProto.UINT8], axis=0)
    assert (seen == codes).all()


def test_rows_can_see_each_rounding_rule(rows):
    """The same draws are wrong on many codes when a rule is changed."""
    scheme = BlockScheme(8, 32)
    scale, _ = block_weight.choose_params(torch.from_numpy(rows), scheme)
    parts = rows.reshape(len(rows), -1, 32)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.nan_to_num(parts / scale.numpy()[..., None]) + np.float32(128)
    half_even = np.clip(np.rint(value), 0, 255).reshape(len(rows), -1)
    codes = block_weight.quantize(torch.from_numpy(rows), scale, scheme).numpy()
    assert (half_even != codes).sum() > 100
