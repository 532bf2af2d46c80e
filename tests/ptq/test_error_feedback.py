"""GPTQ on one matrix: nothing to gain on a diagonal Hessian, much on correlated inputs."""

import pytest
import torch

from tests.quant import cases
from whisper_qat.ptq import error_feedback
from whisper_qat.quant import block_weight, least_squares_scale
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme
from whisper_qat.quant.two_level_scheme import TwoLevelScheme

SCHEMES = [BlockScheme(bits, block, "float16") for bits in (2, 4, 8) for block in (32, 128)]
SCHEMES += [BlockScheme(4, 16, "float16"), DynamicScheme(), TwoLevelScheme(4), TwoLevelScheme(2)]


def correlated(rows, columns, seed=0, rank=24):
    """Inputs [rows, columns] with most of their energy in `rank` directions, as activations."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(rank, columns, generator=rng)
    noise = torch.randn(rows, columns, generator=rng)
    return torch.randn(rows, rank, generator=rng) @ mixing + 0.3 * noise


def output_error(x, weight, values):
    return float((x @ (weight - values).T).square().sum())


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_diagonal_hessian_rounds_to_nearest(scheme):
    rng = torch.Generator().manual_seed(1)
    weight = torch.randn(24, 256, generator=rng)
    scale, _ = least_squares_scale.choose_params(weight, scheme)
    hessian = torch.diag(torch.rand(256, generator=rng) + 0.1)
    values = error_feedback.quantize(weight, hessian, scale, scheme)
    assert torch.equal(values, on_grid(weight, scale, scheme))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_beats_round_to_nearest_on_correlated_inputs(scheme):
    x = correlated(400, 256)
    weight = torch.randn(24, 256, generator=torch.Generator().manual_seed(2))
    scale, _ = least_squares_scale.choose_params(weight, scheme)
    values = error_feedback.quantize(weight, x.T @ x, scale, scheme)
    nearest = output_error(x, weight, on_grid(weight, scale, scheme))
    assert output_error(x, weight, values) < 0.7 * nearest


def test_two_columns_by_hand():
    # H = [[4, 2], [2, 2]] puts column 0 first. Rounding 0.4 to 0 leaves e = 0.4 behind; the best
    # column 1 for it moves by e * H[0, 1] / H[1, 1] = 0.4, so 0.2 becomes 0.6, which rounds to 1.
    scheme, scale = BlockScheme(4, 16), torch.ones(1, 1)
    hessian = torch.tensor([[4.0, 2.0], [2.0, 2.0]])
    weight = torch.tensor([[0.4, 0.2]])
    assert error_feedback.quantize(weight, hessian, scale, scheme).tolist() == [[0.0, 1.0]]
    plain = torch.diag(hessian.diagonal())
    assert error_feedback.quantize(weight, plain, scale, scheme).tolist() == [[0.0, 0.0]]


def test_columns_beyond_one_lazy_batch_are_corrected(monkeypatch):
    x, scheme = correlated(500, 320), BlockScheme(4, 32)
    weight = torch.randn(8, 320, generator=torch.Generator().manual_seed(3))
    scale, _ = block_weight.choose_params(weight, scheme)
    lazy = error_feedback.quantize(weight, x.T @ x, scale, scheme)
    monkeypatch.setattr(error_feedback, "LAZY_COLUMNS", 320)
    eager = error_feedback.quantize(weight, x.T @ x, scale, scheme)
    # Another order of the same sums: a code may flip on a near tie, and what follows it.
    errors = output_error(x, weight, lazy), output_error(x, weight, eager)
    assert errors[0] == pytest.approx(errors[1], rel=0.05)


@pytest.mark.parametrize("name", cases.weights(0))
def test_values_are_on_the_grid(name):
    weight = torch.from_numpy(cases.weights(5)[name])
    scheme = BlockScheme(4, 32, "float16")
    scale, _ = block_weight.choose_params(weight, scheme)
    x = correlated(300, weight.shape[1])
    values = error_feedback.quantize(weight, x.T @ x, scale, scheme)
    assert torch.equal(on_grid(values, scale, scheme), values)


def test_silent_inputs_are_rounded_to_nearest():
    scheme, x = BlockScheme(4, 32), correlated(300, 64)
    x[:, 5] = 0
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(4))
    scale, _ = block_weight.choose_params(weight, scheme)
    values = error_feedback.quantize(weight, x.T @ x, scale, scheme)
    assert torch.equal(values[:, 5], on_grid(weight, scale, scheme)[:, 5])
    assert torch.isfinite(error_feedback.quantize(weight, torch.zeros(64, 64), scale, scheme)).all()


def test_factor_inverts_the_damped_hessian():
    x = correlated(300, 48)
    hessian = x.T @ x
    factor = error_feedback.inverse_factor(hessian).double()
    damped = hessian.double() + 0.01 * hessian.diagonal().mean() * torch.eye(48)
    assert torch.equal(factor, factor.triu())
    assert torch.allclose(factor.T @ factor @ damped, torch.eye(48).double(), atol=1e-4)


def on_grid(weight, scale, scheme):
    if isinstance(scheme, DynamicScheme):
        divisor = torch.where(scale == 0, torch.inf, scale)
        return torch.clamp(torch.round(weight / divisor), -127, 127) * scale
    return block_weight.fake_quantize(weight, scheme, scale)
