"""The MatMulInteger and DynamicQuantizeMatMul oracles equal the ONNX Runtime kernels."""

import numpy as np
import pytest
from onnx import TensorProto

from tests.oracles import matmul_integer as oracle
from tests.oracles.sessions import run_node


def operands(seed, length=64):
    rng = np.random.default_rng(seed)
    # -64..64: on x64 without VNNI u8 x s8 pairs saturate in int16 beyond that (reduce_range).
    return (
        rng.integers(0, 256, (9, length), dtype=np.uint8),
        rng.integers(-64, 65, (length, 17), dtype=np.int8),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("zero_point", [0, 128, 255])
def test_matmul_integer_equals_kernel(seed, zero_point):
    a, b = operands(seed)
    b_zero_point = np.zeros(17, np.int8)
    arrays = [a, b, np.uint8(zero_point).reshape(()), b_zero_point]
    y = run_node("MatMulInteger", arrays, output_types=[TensorProto.INT32])[0]
    assert (y == oracle.matmul_integer(a, b, zero_point, b_zero_point)).all()


@pytest.mark.parametrize("length", [64, 1280, 5120])
def test_dynamic_quantize_matmul_equals_kernel(length):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((11, length)).astype(np.float32)
    _, b = operands(length, length)
    scale = rng.uniform(0.01, 0.02, 17).astype(np.float32)
    bias = rng.standard_normal(17).astype(np.float32)
    zero_point = np.zeros(17, np.int8)
    y = run_node("DynamicQuantizeMatMul", [x, b, scale, zero_point, bias], domain="com.microsoft")[
        0
    ]
    expected = oracle.dynamic_quantize_matmul(x, b, scale, zero_point, bias)
    assert np.linalg.norm(y - expected) <= 1e-6 * np.linalg.norm(expected)
