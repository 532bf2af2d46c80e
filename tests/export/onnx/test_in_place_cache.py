"""Writing at a place, against numpy's concatenation, in onnxruntime."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from whisper_qat.export.onnx.attention import MASKED_KEYS
from whisper_qat.export.onnx.in_place_cache import CAPACITY, PAST_LENGTH, in_place
from whisper_qat.infer.onnx.ort_value import value

HEADS, WIDTH = 2, 4


@pytest.fixture(scope="module")
def session():
    """past, new -> present, and what stood for the past's length."""
    make, info = helper.make_node, helper.make_tensor_value_info
    inputs = {
        "past": info("past", TensorProto.FLOAT, ["rows", HEADS, CAPACITY, WIDTH]),
        "new": info("new", TensorProto.FLOAT, ["rows", HEADS, "n", WIDTH]),
    }
    nodes = [
        make("Shape", ["past"], ["length"], start=2, end=3),
        make("Concat", ["past", "new"], ["present"], axis=2),
    ]
    caches = {"past": inputs["past"]}
    nodes = in_place(nodes, caches)
    inputs[PAST_LENGTH] = info(PAST_LENGTH, TensorProto.INT64, [1])
    outputs = [
        info("present", TensorProto.FLOAT, ["rows", HEADS, CAPACITY, WIDTH]),
        info("length", TensorProto.INT64, [1]),
        info(CAPACITY, TensorProto.INT64, []),
    ]
    graph = helper.make_graph(nodes, "cache", list(inputs.values()), outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("rows", "length", "new"), [(1, 0, 4), (3, 5, 1), (2, 6, 2), (1, 7, 1)])
def test_new_vectors_lie_behind_the_past_in_the_same_memory(session, rows, length, new):
    rng = np.random.default_rng(0)
    cache = rng.normal(size=(rows, HEADS, 8, WIDTH)).astype(np.float32)
    fresh = rng.normal(size=(rows, HEADS, new, WIDTH)).astype(np.float32)
    expected = cache.copy()
    expected[:, :, length : length + new] = fresh
    binding, shared = session.io_binding(), value(cache)
    binding.bind_ortvalue_input("past", shared)
    binding.bind_ortvalue_output("present", shared)
    binding.bind_ortvalue_input("new", value(fresh))
    binding.bind_ortvalue_input(PAST_LENGTH, value(np.array([length])))
    binding.bind_output("length")
    binding.bind_output(CAPACITY)
    session.run_with_iobinding(binding)
    assert (cache == expected).all()
    _, found, capacity = binding.get_outputs()
    assert found.numpy().tolist() == [length] and capacity.numpy() == 8


def test_the_mask_counts_the_capacity():
    keys = helper.make_node("Range", ["zero", "end", "one"], ["keys"], MASKED_KEYS)
    other = helper.make_node("Range", ["first", "end", "one"], ["queries"], "other")
    assert [list(node.input) for node in in_place([keys, other], {})] == [
        ["zero", CAPACITY, "one"],
        ["first", "end", "one"],
    ]
