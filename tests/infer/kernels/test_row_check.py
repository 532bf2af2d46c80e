"""The check of int8-row's nodes: silent here, named for another rounding or saturation."""

import numpy as np
import pytest

from whisper_qat.infer.kernels import row_check
from whisper_qat.infer.kernels.kernel_check import KernelMismatch, check_kernel
from whisper_qat.quant.channel_scheme import RowScheme
from whisper_qat.quant.two_level_scheme import TwoLevelScheme

SCHEMES = [RowScheme(), RowScheme(7), TwoLevelScheme(4), TwoLevelScheme(2)]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_this_machine_computes_the_trained_grid(scheme):
    assert row_check.fault(scheme, in_branch=True) is None
    assert check_kernel(scheme)


@pytest.mark.parametrize("scheme", SCHEMES[1:], ids=lambda scheme: scheme.name)
def test_seven_bits_do_not_saturate_where_eight_do(monkeypatch, scheme):
    monkeypatch.setattr(row_check, "run_kernel", saturating)
    assert row_check.wrong_sums(RowScheme(), in_branch=False) == row_check.WIDTH
    assert row_check.wrong_sums(scheme, in_branch=False) == 0


def test_probe_is_full_of_ties():
    x = row_check.tie_input()
    assert row_check.expected(x)[1][0] == 1 and (x[0] % 1 == 0.5).mean() > 0.45


def half_up(x, weights, in_branch=False, scheme=None):
    _, scale = row_check.expected(x)
    return (np.floor(x / scale + np.float32(0.5)) @ weights.astype(np.float32)) * scale


def exact(x, weights, in_branch=False, scheme=None):
    codes, scale = row_check.expected(x)
    return (codes @ weights.astype(np.float32)) * scale


def saturating(x, weights, in_branch=False, scheme=None):
    """vpmaddubsw on codes around 128: products u8 x s8 added in pairs, in int16."""
    codes, scale = row_check.expected(x)
    products = (codes + 128)[:, :, None] * weights
    pairs = np.clip(products.reshape(len(x), -1, 2, weights.shape[1]).sum(2), -(2**15), 2**15 - 1)
    sums = pairs.sum(1) - 128 * weights.astype(np.int64).sum(0)
    return sums.astype(np.float32) * scale


def in_a_branch(x, weights, in_branch=False, scheme=None):
    return (saturating if in_branch else exact)(x, weights)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (half_up, "QuantizeLinear .* gives [0-9]+ of 256 activations another code"),
        (saturating, "saturates: 64 of 64 large sums are wrong"),
        (in_a_branch, "saturates inside a branch of If: 64 of 64 large sums are wrong"),
    ],
)
def test_another_kernel_is_named(monkeypatch, kernel, message):
    monkeypatch.setattr(row_check, "run_kernel", kernel)
    with pytest.warns(KernelMismatch, match=f"int8-row: .*{message}"):
        assert not check_kernel(RowScheme(), in_branch=True)


def test_a_kernel_that_is_exact_passes(monkeypatch):
    monkeypatch.setattr(row_check, "run_kernel", exact)
    assert row_check.fault(RowScheme()) is None
