"""Dynamic activations: torch, the oracle and the kernels agree; ranges are those of the calls."""

import numpy as np
import pytest
import torch
from onnx import TensorProto

from tests.oracles.dynamic_quantize_linear import dynamic_quantize_linear
from tests.oracles.matmul_integer import dynamic_quantize_matmul
from tests.oracles.sessions import run_node
from tests.oracles.test_dynamic_quantize_linear import tie_grid
from tests.quant import cases
from whisper_qat.quant import channel_weight, dynamic_activation
from whisper_qat.quant.channel_scheme import DynamicScheme

TYPES = [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.UINT8]
INPUTS = cases.activations(0) | {f"tie-grid-{seed}": tie_grid(seed) for seed in range(4)}
SCHEME = DynamicScheme()


def ours(x):
    scale, zero_point = dynamic_activation.choose_params(torch.from_numpy(x))
    codes = dynamic_activation.quantize(torch.from_numpy(x), scale, zero_point)
    return codes.numpy(), scale.numpy(), zero_point.numpy()


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_three_parties_agree(name):
    x = INPUTS[name]
    codes, scale, zero_point = ours(x)
    assert scale.shape == zero_point.shape == (1, 1)
    for other in (
        dynamic_quantize_linear(x),
        run_node("DynamicQuantizeLinear", [x], num_outputs=3, output_types=TYPES),
    ):
        assert (codes == other[0]).all() and scale == other[1] and zero_point == other[2]


def differing(x, other):
    return sum(int((a != b).sum()) for a, b in zip(ours(x), other, strict=True))


def test_no_code_differs_from_the_kernels_over_1000_seeds():
    mismatches = 0
    for seed in range(1000):
        x = tie_grid(seed)
        kernel = run_node("DynamicQuantizeLinear", [x], num_outputs=3, output_types=TYPES)
        mismatches += differing(x, kernel)
    assert mismatches == 0


def test_no_code_differs_from_the_oracles_over_1000_seeds():
    mismatches = 0
    for seed in range(1000):
        x = tie_grid(seed) * np.float32(0.3)
        mismatches += differing(x, dynamic_quantize_linear(x))
    assert mismatches == 0


def test_ties_can_see_the_reciprocal():
    x = tie_grid(0) * np.float32(0.3)
    codes, scale, zero_point = ours(x)
    product = np.clip(np.rint(x * (np.float32(1) / scale)) + zero_point, 0, 255)
    assert (product != codes).any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", sorted(INPUTS))
def test_kernel_product_is_the_oracles(name, bias):
    """uint8 weights with zero point 128, extremes included: no saturation, s_a * s_w first."""
    x = INPUTS[name]
    rng = np.random.default_rng(1)
    codes = rng.integers(1, 256, (x.shape[1], 17)).astype(np.uint8)
    codes[:, :2] = [1, 255]
    scale = rng.uniform(0.01, 0.02, 17).astype(np.float32)
    added = rng.standard_normal(17).astype(np.float32) if bias else None
    arrays = [x, codes, scale, np.array(128, np.uint8), added]
    (y,) = run_node("DynamicQuantizeMatMul", arrays, domain="com.microsoft")
    expected = dynamic_quantize_matmul(x, codes, scale, 128, 0 if added is None else added)
    assert (y == expected).all()


def test_product_of_both_grids_is_the_kernels_over_many_seeds():
    """Whole layer: torch's float32 product against the kernel's integers, random weights."""
    worst = 0.0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((7, 512)).astype(np.float32)
        weight = torch.from_numpy(rng.standard_normal((24, 512)).astype(np.float32))
        scale, _ = channel_weight.choose_params(weight, SCHEME)
        codes = channel_weight.quantize(weight, scale, SCHEME).numpy().T.copy()
        arrays = [x, codes, scale.numpy().reshape(-1), np.array(128, np.uint8)]
        (y,) = run_node("DynamicQuantizeMatMul", arrays, domain="com.microsoft")
        on_grid = dynamic_activation.fake_quantize(torch.from_numpy(x))
        expected = (on_grid @ channel_weight.fake_quantize(weight, SCHEME).T).numpy()
        worst = max(worst, float(np.linalg.norm(y - expected) / np.linalg.norm(expected)))
    assert worst < 2e-6


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_fake_quantize_is_dequantize_of_quantize(name):
    x = torch.from_numpy(INPUTS[name])
    scale, zero_point = dynamic_activation.choose_params(x)
    codes = dynamic_activation.quantize(x, scale, zero_point)
    expected = dynamic_activation.dequantize(codes, scale, zero_point)
    assert (dynamic_activation.fake_quantize(x) == expected).all()


def spread(*shape):
    """Rows of very different sizes, so that another scope is another range."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, generator=generator)
    return x * torch.logspace(-1, 1, shape[-2])[:, None]


def test_each_matrix_has_a_range_of_its_own():
    x = spread(3, 5, 64) * torch.tensor([1.0, 10.0, 0.1])[:, None, None]
    whole = dynamic_activation.fake_quantize(x)
    for i in range(3):
        assert (whole[i] == dynamic_activation.fake_quantize(x[i])).all()
    together = dynamic_activation.fake_quantize(x.reshape(15, 64)).reshape(3, 5, 64)
    assert (whole != together).any()


@pytest.mark.parametrize("first_call", [1, 3])
def test_prompt_together_and_every_later_row_alone(first_call):
    x = spread(2, 6, 64)
    whole = dynamic_activation.fake_quantize(x, first_call)
    assert (whole[:, :first_call] == dynamic_activation.fake_quantize(x[:, :first_call])).all()
    for i in range(first_call, 6):
        assert (whole[:, i : i + 1] == dynamic_activation.fake_quantize(x[:, i : i + 1])).all()
    assert (whole != dynamic_activation.fake_quantize(x)).any()


@pytest.mark.parametrize("first_call", [6, 9])
def test_a_call_no_longer_than_the_prompt_is_one_call(first_call):
    x = spread(2, 6, 64)
    expected = dynamic_activation.fake_quantize(x)
    assert (dynamic_activation.fake_quantize(x, first_call) == expected).all()


@pytest.mark.parametrize("first_call", [None, 2])
def test_gradient_is_straight_through(first_call):
    x = torch.randn(2, 5, 64, requires_grad=True)
    gradient = torch.randn(2, 5, 64)
    dynamic_activation.fake_quantize(x, first_call).backward(gradient)
    assert x.grad is not None and (x.grad == gradient).all()


def test_arithmetic_is_float32_under_autocast():
    x = torch.randn(4, 128, dtype=torch.bfloat16)
    expected = dynamic_activation.fake_quantize(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = dynamic_activation.fake_quantize(x)
    assert values.dtype == torch.float32 and (values == expected).all()
