"""The graph under construction: names, shared constants, initializers of branches in the root."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.export import cases
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph


@pytest.fixture
def g(tmp_path):
    with ExternalData(tmp_path / "g.onnx_data") as data:
        yield Graph("g", data)


def test_unnamed_nodes_are_numbered_by_type(g):
    x = g.input("x", TensorProto.FLOAT, ["n"])
    assert g.op("Neg", g.op("Neg", x)) == "Neg_2/out"


def test_equal_constants_are_stored_once(g):
    assert g.constant([1, 2]) == g.constant([1, 2])
    assert g.constant(1) != g.constant([1])
    assert g.constant(1) != g.constant(1, np.float32)
    assert len(g.proto().initializer) == 4


def test_a_name_is_stored_once(g):
    g.initializer("w", np.zeros(3, np.float32))
    with pytest.raises(AssertionError, match="w"):
        g.initializer("w", np.zeros(3, np.float32))


def test_branches_put_their_initializers_into_the_root(g, tmp_path):
    x = g.input("x", TensorProto.FLOAT, ["n"])
    flag = g.input("flag", TensorProto.BOOL, [1])
    branches = {}
    for name, value in (("then_branch", 2.0), ("else_branch", 3.0)):
        branch = g.branch(name)
        branch.output(branch.op("Mul", x, branch.constant(value, np.float32)), name, 1, None)
        branches[name] = branch.proto()
    g.output(g.op("If", flag, **branches), "y", TensorProto.FLOAT, ["n"])
    g.save(tmp_path / "g.onnx")
    model = onnx.load(tmp_path / "g.onnx", load_external_data=False)
    onnx.checker.check_model(model)
    assert len(model.graph.initializer) == 2
    assert not [b for b in branches.values() if b.initializer]
    session = cases.session(tmp_path / "g.onnx")
    for value, factor in ((True, 2), (False, 3)):
        feeds = {"x": np.ones(2, np.float32), "flag": np.array([value])}
        assert (session.run(["y"], feeds)[0] == factor).all()
