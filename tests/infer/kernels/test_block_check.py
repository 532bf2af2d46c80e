"""The check of MatMulNBits: silent on the right kernel, loud and named on any other grid."""

import numpy as np
import pytest

from whisper_qat.infer.kernels import block_check
from whisper_qat.infer.kernels.block_check import expected, probe_input
from whisper_qat.infer.kernels.kernel_check import KernelMismatch, check_kernel
from whisper_qat.quant.block_scheme import BITS, BLOCK_SIZES, BLOCK_SIZES_2_BITS, BlockScheme

SCHEMES = [
    BlockScheme(bits=bits, block_size=size)
    for bits in BITS
    for size in (BLOCK_SIZES_2_BITS if bits == 2 else BLOCK_SIZES)
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_this_machine_computes_the_trained_grid(scheme):
    assert check_kernel(scheme)


def test_probe_holds_ties_and_zero_blocks():
    scheme = BlockScheme(bits=8, block_size=32)
    x = probe_input(scheme)
    codes, scale = expected(x, scheme)
    ties = np.abs(np.divide(x, scale, out=np.zeros_like(x), where=scale > 0) - codes) == 0.5
    assert ties.mean() > 0.5
    assert (scale == 0).any()
    assert set(np.unique(np.abs(codes))) <= set(range(128))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_the_probe_of_sums_speaks_for_larger_products(scheme):
    """Columns of every remainder, more blocks and more rows: the answer is the probe's."""
    rng = np.random.default_rng(1)
    for columns, blocks in [(64, 4), (97, 8), (200, 16), (8, 5)]:
        width = blocks * scheme.block_size
        codes = rng.integers(0, scheme.max_code + 1, (columns, width)).astype(np.uint8)
        scales = rng.normal(size=columns * scheme.num_blocks(width)).astype(np.float32)
        x = rng.normal(size=(9, width)).astype(np.float32)
        found = block_check.rows_agree(block_check.product(codes, scales, scheme), x)
        assert found is block_check.same_bits_beside_others(scheme)


class Pairs:
    """Rows in pairs have another last bit than a row alone or left over, as with AVX512-VNNI."""

    def __init__(self, noise):
        self.noise = np.float32(noise)

    def run(self, _, feeds):
        y = feeds["x"].copy()
        y[: len(y) // 2 * 2] *= 1 + self.noise
        return [y]


@pytest.mark.parametrize(("noise", "expected"), [(0, True), (2e-7, False)])
def test_another_bit_beside_others_is_seen(noise, expected):
    x = np.random.default_rng(2).normal(size=(3, 8)).astype(np.float32)
    assert block_check.rows_agree(Pairs(noise), x) is expected


def round_half_up(x, scheme):
    codes, scale = expected(x, scheme)
    return np.floor(x / np.where(scale > 0, scale, 1) + np.float32(0.5)) * scale


def one_range_per_row(x, scheme):
    scale = np.abs(x).max(axis=1, keepdims=True) / 127
    return np.rint(x / scale) * scale


@pytest.mark.parametrize("kernel", [round_half_up, one_range_per_row])
@pytest.mark.parametrize("scheme", SCHEMES[1:3], ids=lambda scheme: scheme.name)
def test_another_grid_is_seen(monkeypatch, kernel, scheme):
    monkeypatch.setattr(block_check, "run_kernel", kernel)
    with pytest.warns(KernelMismatch, match=f"{scheme.name}: MatMulNBits on this machine"):
        assert not check_kernel(scheme)
