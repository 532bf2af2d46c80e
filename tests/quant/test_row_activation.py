"""Row activations: torch, numpy and the kernel agree with ==, on ties, zero rows and extremes."""

import numpy as np
import pytest
import torch
from onnx import TensorProto

from tests.oracles.sessions import run_node
from tests.oracles.test_dynamic_quantize_linear import tie_grid
from tests.quant import cases
from whisper_qat.infer.kernels import row_check
from whisper_qat.quant import row_activation

TINY = np.float32([[1e-39, 0.0], [-3e-38, 1e-38], [0.0, -0.0]])
INPUTS = cases.activations(0) | {f"tie-grid-{seed}": tie_grid(seed) for seed in range(4)}
INPUTS |= {"row ties": row_check.tie_input(), "subnormal": TINY}


def ours(x):
    scale, zero_point = row_activation.choose_params(torch.from_numpy(x))
    codes = row_activation.quantize(torch.from_numpy(x), scale)
    return codes.numpy(), scale.numpy(), zero_point


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_three_parties_agree(name):
    x = INPUTS[name]
    codes, scale, zero_point = ours(x)
    assert scale.shape == (len(x), 1) and codes.min() >= 1
    expected, expected_scale = row_check.expected(x)
    assert (scale == expected_scale).all() and (codes == expected + zero_point).all()
    zero_points = np.full(len(x), zero_point, np.uint8)
    inputs = [x, scale[:, 0], zero_points]
    (kernel,) = run_node("QuantizeLinear", inputs, output_types=[TensorProto.UINT8], axis=0)
    assert (codes == kernel).all()


def test_ties_round_to_even_and_the_extreme_is_127():
    codes, scale, _ = ours(row_check.tie_input())
    assert scale[0] == 1 and codes[0, :6].tolist() == [1, 128, 129, 130, 130, 130]
    assert codes[3].tolist() == [128] * row_check.WIDTH  # a row of zeros


def test_a_row_knows_no_other():
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    together = row_activation.fake_quantize(x * torch.logspace(-2, 2, 4)[:, None])
    alone = [
        row_activation.fake_quantize(row[None]) for row in x * torch.logspace(-2, 2, 4)[:, None]
    ]
    assert (together == torch.cat(alone)).all()


def test_values_are_those_of_the_codes_and_the_gradient_is_identity():
    x = torch.randn(2, 3, 8, requires_grad=True)
    scale, _ = row_activation.choose_params(x)
    y = row_activation.fake_quantize(x)
    codes = row_activation.quantize(x, scale)
    assert (y == row_activation.dequantize(codes, scale)).all()
    gradient = torch.randn(2, 3, 8)
    y.backward(gradient)
    assert (x.grad == gradient).all()
