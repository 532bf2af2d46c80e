"""The optimized graph is the one onnxruntime made: constants folded, nothing left behind."""

import tempfile

import numpy as np
import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.infer.onnx.optimized import optimized_model
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE


def op_types(model):
    return [node.op_type for node in model.graph.node]


def test_the_cast_of_a_stored_weight_is_folded(tmp_path):
    with ExternalData(tmp_path / "a.onnx_data") as data:
        g = Graph("g", data)
        x = g.input("x", 1, ["n", 256])
        weight = g.stored("w", np.ones((256, 256), np.float16))
        g.output(g.op("MatMul", x, weight, name="product"), "y", 1, ["n", 256])
        g.save(tmp_path / "a.onnx")
    model = optimized_model(tmp_path / "a.onnx")
    assert op_types(model) == ["MatMul"]
    assert model.graph.node[0].name == "product"


def test_large_constants_stay_outside(tmp_path):
    folder = cases.write(cases.tiny_whisper(256), tmp_path / "onnx", cases.INT8)
    model = optimized_model(folder / ENCODER_FILE)
    assert max(len(t.raw_data) for t in model.graph.initializer) <= 1024
    assert op_types(model).count("MatMulNBits") == 12


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    folder = cases.write(cases.tiny_whisper(), tmp_path / "onnx", cases.INT8)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    before = sorted(folder.iterdir())
    optimized_model(folder / DECODER_FILE)
    assert sorted(folder.iterdir()) == before
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"a.onnx: onnxruntime cannot load it"):
        optimized_model(tmp_path / "a.onnx")
