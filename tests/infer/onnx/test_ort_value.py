"""Tensors over numpy arrays: the same memory."""

import numpy as np

from whisper_qat.infer.onnx.ort_value import value, zeros


def test_a_tensor_shares_the_array_s_memory():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = value(array[:1])
    array[0, 0] = 9
    assert tensor.numpy().tolist() == [[9, 1, 2]]


def test_what_is_not_contiguous_is_copied_in_order():
    array = np.arange(6, dtype=np.int64).reshape(2, 3)
    assert value(array.T).numpy().tolist() == array.T.tolist()


def test_zeros_may_be_empty():
    assert zeros([1, 2, 0, 4]).numpy().shape == (1, 2, 0, 4)
    assert not zeros([2, 2]).numpy().any() and zeros([2]).numpy().dtype == np.float32
