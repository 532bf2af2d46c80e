"""Least-squares scales: never worse than ORT's rule, best on a grid that can be searched."""

import numpy as np
import pytest
import torch

from tests.quant import cases
from whisper_qat.quant import block_weight, least_squares_scale
from whisper_qat.quant.block_scheme import BlockScheme

SCHEMES = [BlockScheme(b, 32, d) for b in (2, 4, 8) for d in ("float32", "float16")]


def errors(weight, scale, scheme):
    difference = block_weight.fake_quantize(weight, scheme, scale) - weight
    padded = torch.nn.functional.pad(difference, (0, -weight.shape[1] % scheme.block_size))
    return padded.double().reshape(len(weight), -1, scheme.block_size).square().sum(-1)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", sorted(set(cases.weights(0)) - {"large", "small"}))
def test_no_block_is_worse_than_with_orts_rule(name, scheme):
    weight = torch.from_numpy(cases.weights(0)[name])
    ort, _ = block_weight.choose_params(weight, scheme)
    found, zero_point = least_squares_scale.choose_params(weight, scheme)
    assert zero_point == scheme.zero_point and torch.equal(found, scheme.storable(found))
    before, after = errors(weight, ort, scheme), errors(weight, found, scheme)
    assert (after <= before * (1 + 1e-5)).all()


@pytest.mark.parametrize("bits", [2, 4])
def test_near_the_best_of_a_fine_search(bits):
    scheme = BlockScheme(bits, 32)
    weight = torch.randn(6, 32, generator=torch.Generator().manual_seed(2))
    top = weight.abs().max().item() / scheme.zero_point
    grid = np.linspace(-1.3 * top, 1.3 * top, 4000, dtype=np.float32)
    searched = torch.stack([
        errors(weight, torch.full((6, 1), float(s)), scheme) for s in grid if s
    ]).amin(0)  # fmt: skip
    found = errors(weight, least_squares_scale.choose_params(weight, scheme)[0], scheme)
    assert (found.sum() <= 1.02 * searched.sum()).item()


def test_importance_decides_which_weights_are_kept():
    scheme = BlockScheme(bits=2, block_size=32)
    weight = torch.full((1, 32), 0.9)
    weight[0, 0] = 4.0
    plain, _ = least_squares_scale.choose_params(weight, scheme)
    importance = torch.ones(32)
    importance[0] = 1e4
    weighted, _ = least_squares_scale.choose_params(weight, scheme, importance)
    values = [block_weight.fake_quantize(weight, scheme, s)[0, 0] for s in (plain, weighted)]
    assert abs(values[1] - 4.0) < 0.05 < abs(values[0] - 4.0)
