"""The check of DynamicQuantizeMatMul: silent here, named for another rounding or saturation."""

import numpy as np
import pytest

from tests.oracles.dynamic_quantize_linear import dynamic_quantize_linear
from whisper_qat.infer.kernels import dynamic_check
from whisper_qat.infer.kernels.kernel_check import KernelMismatch, check_kernel
from whisper_qat.quant.channel_scheme import DynamicScheme


def test_this_machine_computes_the_trained_grid():
    assert dynamic_check.fault(DynamicScheme(), in_branch=True) is None
    assert check_kernel(DynamicScheme())


@pytest.mark.parametrize("factor", dynamic_check.FACTORS)
def test_expected_is_the_oracles(factor):
    x = dynamic_check.tie_input() * np.float32(factor)
    codes, scale, zero_point = dynamic_quantize_linear(x)
    found, found_scale = dynamic_check.expected(x)
    assert (found == codes.astype(np.int16) - zero_point).all() and found_scale == scale


def test_probe_is_full_of_ties():
    x = dynamic_check.tie_input()
    assert dynamic_check.expected(x)[1] == 1 and (x % 1 == 0.5).mean() > 0.45


def zero_point_first(x, weights, in_branch=False):
    low, high = x.min(), x.max()
    scale = np.float32((high - low) / np.float32(255))
    zero_point = np.rint(-low / scale)
    codes = np.clip(np.floor(x / scale + zero_point + np.float32(0.5)), 0, 255) - zero_point
    return (codes @ weights.astype(np.float32)) * scale


def saturating(x, weights, in_branch=False):
    """vpmaddubsw: products u8 x s8 added in pairs, in int16."""
    codes, scale = dynamic_check.expected(x)
    pairs = (codes[:, :, None] * weights).reshape(len(x), -1, 2, weights.shape[1]).sum(2)
    return (np.clip(pairs, -(2**15), 2**15 - 1).sum(1) * scale).astype(np.float32)


def saturating_in_a_branch(x, weights, in_branch=False):
    codes, scale = dynamic_check.expected(x)
    return saturating(x, weights) if in_branch else (codes @ weights.astype(np.float32)) * scale


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (zero_point_first, "gives [0-9]+ of 1536 activations another code"),
        (saturating, "saturates: 64 of 64 large sums are wrong"),
        (saturating_in_a_branch, "saturates inside a branch of If: 64 of 64 large sums are wrong"),
    ],
)
def test_another_kernel_is_named(monkeypatch, kernel, message):
    monkeypatch.setattr(dynamic_check, "run_kernel", kernel)
    with pytest.warns(KernelMismatch, match=f"int8-dynamic: DynamicQuantizeMatMul .* {message}"):
        assert not check_kernel(DynamicScheme(), in_branch=True)


def test_a_branch_is_probed_only_where_one_runs(monkeypatch):
    monkeypatch.setattr(dynamic_check, "run_kernel", saturating_in_a_branch)
    assert check_kernel(DynamicScheme())
