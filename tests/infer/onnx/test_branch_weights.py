"""int8 weights of a branch's products: moved into it, where the cure finds them, else untouched."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.export import cases
from whisper_qat.export.onnx.step import CROSS_FILE
from whisper_qat.infer.onnx import session
from whisper_qat.infer.onnx.backend import open_decoder
from whisper_qat.infer.onnx.branch_weights import branches, multiplied, with_branch_weights
from whisper_qat.infer.onnx.merged_decoder import MergedDecoder
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.model.onnx_files import DECODER_FILE

WEIGHTS = np.arange(-120, 120, 15, dtype=np.int8).reshape(4, 4)  # beyond seven bits
ZERO = np.array(0, np.int8)
CHANNEL = pytest.mark.parametrize("scheme", [cases.DYNAMIC, cases.ROW], ids=lambda s: s.name)


def product(output):
    return helper.make_node("MatMulInteger", ["x", "w", "", "zero"], [output])


def model(*, outside, else_product=True):
    """y = x @ w in a branch of If, or both; `outside` multiplies with w there, too."""
    other = helper.make_node("Identity", ["x32"], ["b"])
    inner = [[product("a")], [product("b") if else_product else other]]
    bodies = [
        helper.make_graph(
            nodes, "branch", [], [helper.make_tensor_value_info(name, TensorProto.INT32, None)]
        )
        for nodes, name in zip(inner, ("a", "b"), strict=True)
    ]
    choice = helper.make_node("If", ["c"], ["y"], then_branch=bodies[0], else_branch=bodies[1])
    cast = helper.make_node("Cast", ["x"], ["x32"], to=TensorProto.INT32)
    ys = ["y", "z"] if outside else ["y"]
    graph = helper.make_graph(
        [cast, choice, *([product("z")] if outside else [])],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 4]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(name, TensorProto.INT32, None) for name in ys],
        [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(ZERO, "zero")],
    )
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("else_product", [False, True])
def test_each_branch_holds_what_it_multiplies(outside, else_product):
    moved = with_branch_weights(model(outside=outside, else_product=else_product))
    graph = onnx.load_model_from_string(moved).graph
    held = sorted([tensor.name for tensor in branch.initializer] for branch in branches(graph))
    inside = ["w/branch", "zero/branch"]
    assert held == [inside if else_product else [], inside]
    assert [tensor.name for tensor in graph.initializer] == (["w", "zero"] if outside else [])
    x = np.array([[1, 2, 3, 4]], np.uint8)
    for y in session.session(moved, 1).run(None, {"x": x, "c": np.array(True)}):
        assert (y == x.astype(np.int64) @ WEIGHTS).all()


def test_no_branch_nothing_to_move(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path, cases.DYNAMIC)
    assert with_branch_weights(folder / CROSS_FILE) is None


@pytest.mark.parametrize("scheme", [None, cases.INT8], ids=["float", "int8"])
def test_what_cannot_saturate_stays(tmp_path, scheme):
    folder = cases.write(cases.tiny_whisper(), tmp_path, scheme)
    assert with_branch_weights(folder / DECODER_FILE) is None


@CHANNEL
def test_weights_of_the_merged_decoder_lie_in_its_branches(tmp_path, scheme):
    folder = cases.write(cases.tiny_whisper(256), tmp_path, scheme)
    graph = onnx.load_model_from_string(with_branch_weights(folder / DECODER_FILE)).graph
    outside = {tensor.name for tensor in graph.initializer}
    held = [tensor for branch in branches(graph) for tensor in branch.initializer]
    assert len(held) == 4  # keys and values of two layers
    assert {tensor.data_location for tensor in held} == {TensorProto.EXTERNAL}
    names = {tensor.name for tensor in held}
    assert names < {name for branch in branches(graph) for name in multiplied(branch)}
    assert not outside & {name.removesuffix("/branch") for name in names}


@CHANNEL
def test_a_file_whose_products_saturate_is_opened_with_its_data(tmp_path, monkeypatch, scheme):
    """As on a CPU without VNNI: the merged decoder equals cross.onnx and step.onnx, bit for bit."""
    folder = cases.write(cases.tiny_whisper(256), tmp_path, scheme)
    monkeypatch.setattr(session, "saturates", lambda: True)
    both = [open_decoder(folder, 1), MergedDecoder(session.session(folder / DECODER_FILE, 1))]
    states = np.random.default_rng(1).normal(size=(1, 8, 256)).astype(np.float32)
    kept = [side.start([value(states)]) for side in both]
    kept[0].cache.growth = 1
    for tokens in ([[3, 11, 42]], [[5]]):
        ours, theirs = (s.run(np.array(tokens), k, 0) for s, k in zip(both, kept, strict=True))
        assert (ours == theirs).all()


def test_the_cure_reaches_the_moved_weights(tmp_path, monkeypatch):
    """The graph that onnxruntime makes has uint8 weights in the branches: u8 x u8 is exact."""
    monkeypatch.setattr(session, "saturates", lambda: True)
    session.session(model(outside=False), 1, save_optimized=tmp_path / "a.onnx")
    made = onnx.load(str(tmp_path / "a.onnx")).graph
    types = {tensor.data_type for branch in branches(made) for tensor in branch.initializer}
    assert TensorProto.UINT8 in types and TensorProto.INT8 not in types
