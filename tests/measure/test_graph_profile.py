"""Sums by operator of the events of the profiler, and unusable files."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from whisper_qat.errors import InputError
from whisper_qat.measure.graph_profile import by_operator, profile


def event(name, op, dur, shapes=()):
    args = {"op_name": op, "input_type_shape": [{"float": list(shape)} for shape in shapes]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": dur, "args": args}


def test_sums_of_medians_without_the_warm_up():
    events = [event("a", "Add", dur) for dur in (9000, 9000, 1000, 5000, 2000)]
    events += [event("b", "Add", dur) for dur in (9000, 9000, 4000)]
    events += [event("m", "MatMul", 7000, [(1, 2, 3), (3, 4)])] * 3
    events += [event("qk", "FusedMatMul", 8000, [(1, 2, 3), (1, 3, 2)])] * 3
    events += [{"cat": "Session", "name": "model_run", "dur": 1}]
    events += [{"cat": "Node", "name": "a_fence_before", "dur": 1, "args": {"op_name": "Add"}}]
    found = by_operator(events)
    assert list(found) == ["FusedMatMul of activations", "MatMul", "Add"]
    assert found["Add"] == {"nodes": 2, "ms": 2.0 + 4.0}
    assert found["MatMul"] == {"nodes": 1, "ms": 7.0}


@pytest.fixture
def graph(tmp_path):
    """y = relu(x @ w + past_length), x [rows, 8]."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Cast", ["past_length"], ["n"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["xw", "n"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    inputs = [
        info("x", TensorProto.FLOAT, ["rows", 8]),
        info("past_length", TensorProto.INT64, [1]),
    ]
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    outputs = [info("y", TensorProto.FLOAT, ["rows", 4])]
    made = helper.make_graph(nodes, "graph", inputs, outputs, [weight])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    save(model, str(tmp_path / "graph.onnx"))
    return tmp_path / "graph.onnx"


def test_a_real_graph(graph):
    one, two = profile([graph, graph], {"rows": 5}, {"past_length": 3}, rounds=3, threads=1)
    assert one["operators"].keys() == two["operators"].keys() >= {"MatMul", "Relu"}
    assert all(spent["nodes"] == 1 for spent in one["operators"].values())
    assert one["wall_ms"] > 0 and one["graph"] == str(graph)


def test_unusable_files_are_refused(graph, tmp_path):
    settings = {"sizes": {}, "values": {}, "rounds": 1, "threads": 1}
    with pytest.raises(InputError, match=r"gone\.onnx: no such file; expected an \.onnx file"):
        profile([tmp_path / "gone.onnx"], **settings)
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"bad\.onnx: onnxruntime cannot load it"):
        profile([graph, tmp_path / "bad.onnx"], **settings)
