"""The DynamicQuantizeLinear oracle equals the ONNX Runtime kernel, forced ties included."""

import numpy as np
import pytest
from onnx import TensorProto

from tests.oracles.dynamic_quantize_linear import dynamic_quantize_linear
from tests.oracles.sessions import run_node
from tests.quant import cases

TYPES = [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.UINT8]


def tie_grid(seed):
    """Values at exact halves of a power-of-two scale: range 255/4 makes the scale 1/4."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-256, 255, (20, 64)).astype(np.float32) / 8
    x[0, 0], x[0, 1] = -32, 31.75
    return x


INPUTS = cases.activations(0) | {f"tie-grid-{s}": tie_grid(s) for s in range(20)}


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_oracle_equals_kernel(name):
    x = INPUTS[name]
    codes, scale, zero_point = run_node(
        "DynamicQuantizeLinear", [x], num_outputs=3, output_types=TYPES
    )
    expected_codes, expected_scale, expected_zero_point = dynamic_quantize_linear(x)
    assert scale == expected_scale and zero_point == expected_zero_point
    assert (codes == expected_codes).all()


def test_the_grid_can_see_the_order():
    x = tie_grid(0)
    codes, scale, zero_point = dynamic_quantize_linear(x)
    assert zero_point % 2 == 0 or (np.rint(x / scale + zero_point) != codes).any()
    shifted = np.clip(np.rint(x / scale + np.float32(129)) - 1, 0, 255)
    assert (shifted != np.clip(np.rint(x / scale) + 128, 0, 255)).any()
