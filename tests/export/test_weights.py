"""The books: every tensor and every planned layer has exactly one place in the graphs."""

import numpy as np
import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.weights import Weights

MATRIX = np.zeros((4, 32), dtype=np.float32)


def quantized(*names):
    return {name: cases.quantize(MATRIX, cases.INT8) for name in names}


def test_unknown_tensor():
    with pytest.raises(InputError, match=r"checkpoint: no tensor 'a\.bias'"):
        Weights({}, {}).tensor("a.bias")


def test_tensors_are_float32():
    assert Weights({"a": np.zeros(2, np.float16)}, {}).tensor("a").dtype == np.float32


def test_planned_layer_that_was_not_built():
    weights = Weights({}, quantized("a", "b"))
    weights.quantized("a")
    with pytest.raises(InputError, match="plan: no such layer in the graphs: b"):
        weights.check_all_used()


def test_planned_float_layer_that_was_not_built():
    with pytest.raises(InputError, match="plan: no such layer in the graphs: c"):
        Weights({}, {}, planned=["c"]).check_all_used()


def test_layer_without_a_plan_entry():
    weights = Weights({}, quantized("a"))
    assert weights.quantized("a") is not None
    assert weights.quantized("b") is None
    with pytest.raises(InputError, match="plan: no entry for b"):
        weights.check_all_used()


def test_leftover_tensors_are_named():
    weights = Weights({name: MATRIX for name in "abcde"}, {})
    with pytest.raises(InputError, match="no place in Whisper: a, b, c and 2 more"):
        weights.check_all_used()


def test_quantized_layer_uses_up_its_float_weight():
    weights = Weights({"a.weight": MATRIX}, quantized("a"))
    weights.quantized("a")
    weights.check_all_used()


def test_a_layer_is_built_once():
    weights = Weights({}, {})
    weights.quantized("a")
    with pytest.raises(AssertionError, match="built twice"):
        weights.quantized("a")


def test_fp32_bytes_count_every_parameter():
    assert Weights({"a": MATRIX.astype(np.float16)}, {}).fp32_bytes == 4 * 4 * 32
