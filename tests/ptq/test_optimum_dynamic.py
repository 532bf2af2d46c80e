"""optimum's dynamic quantization on our graphs: its settings, its kernels, loadable as it is."""

import ast
from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from tests.export import cases
from tests.test_conftest import ROOT
from whisper_qat.export.onnx.folder import model_bytes
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.source import parameters
from whisper_qat.export.weights import Weights
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.model import forward
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.ptq.optimum_dynamic import write_dynamic_graphs


@pytest.fixture(scope="module")
def model():
    return cases.tiny_whisper()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dynamic") / "folder"
    folder.mkdir()
    shape = WhisperShape.from_config(model.config.to_dict())
    write_dynamic_graphs(shape, Weights(parameters(Final(model, None, None)), {}), folder)
    return folder


def operators(folder, name):
    graph = onnx.load(folder / name).graph
    counts = Counter(node.op_type for node in graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            counts.update(inner.op_type for inner in attribute.g.node)
    return counts


def test_every_product_with_weights_is_an_integer_product(folder):
    encoder = operators(folder, "encoder_model.onnx")
    assert encoder["MatMulInteger"] == 2 * 6 and encoder["ConvInteger"] == 2
    decoder = operators(folder, "decoder_model_merged.onnx")
    assert decoder["MatMulInteger"] == 2 * 10 + 1  # with k and v inside the branches, and the head
    assert not {"MatMul", "Conv"} & set(encoder + decoder)


def test_weights_have_8_bits_and_one_scale_each(folder):
    for name in ("encoder_model.onnx", "decoder_model_merged.onnx"):
        tensors = {t.name: t for t in onnx.load(folder / name).graph.initializer}
        codes = [n for n in tensors if n.endswith(".weight_quantized")]
        assert codes
        for code in codes:
            scale = onnx.numpy_helper.to_array(tensors[code.replace("_quantized", "_scale")])
            assert tensors[code].data_type == kind_of(code) and scale.size == 1
        left = {t.name for t in tensors.values() if t.data_type == onnx.TensorProto.FLOAT
                and t.name.endswith(".weight") and len(t.dims) == 2}  # fmt: skip
        # Read through Slice, which is not among the operators; the decoder's go through Gather.
        assert left <= {"model.encoder.embed_positions.weight"}


def kind_of(code):
    """Products have int8 weights; what Gather reads gets the activations' type."""
    table = code.startswith("model.decoder.embed_")
    return onnx.TensorProto.UINT8 if table else onnx.TensorProto.INT8


def test_it_runs_and_stays_near_the_float_model(model, folder):
    backend = OnnxBackend.from_folder(folder, 1)
    mel = np.random.default_rng(0).normal(size=(1, 8, 40)).astype(np.float32)
    state = backend.encode(mel)
    tokens = np.array([[3, 5, 9]])
    got = backend.logits(tokens, state)
    with torch.no_grad():
        encoded = forward.encode(model, torch.from_numpy(mel))
        want = forward.decode(model, torch.from_numpy(tokens), forward.start(model, encoded))
    assert 1e-4 < cases.difference(got, want.numpy()) < 0.2
    assert backend.logits(np.array([[7]]), state).shape == (1, 1, 97)  # a step on the cache


def test_nothing_else_is_left_in_the_folder(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"encoder_model.onnx", "decoder_model_merged.onnx"} <= names
    assert all(".onnx" in name for name in names)
    modes = {path.stat().st_mode for path in folder.iterdir()}
    (folder.parent / "plain").touch()
    assert modes == {(folder.parent / "plain").stat().st_mode}  # readable as any other file
    (folder.parent / "plain").unlink()
    assert model_bytes(folder) == sum(path.stat().st_size for path in folder.iterdir())
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]  # no float graphs


def test_settings_are_optimums():
    """`avx512_vnni` and `ORTQuantizer` of the optimum that is installed, read from its source."""
    found = sorted(ROOT.glob(".venv-optimum/lib/python3*/site-packages/optimum/onnxruntime"))
    if not found:
        pytest.skip("no optimum environment")
    tree = ast.parse((found[0] / "configuration.py").read_text())
    function = next(n for n in ast.walk(tree)
                    if isinstance(n, ast.FunctionDef) and n.name == "avx512_vnni")  # fmt: skip
    text = ast.unparse(function)
    for setting in ("activations_dtype=QuantType.QUInt8", "weights_dtype=QuantType.QInt8",
                    "reduce_range=False", "use_symmetric_weights: bool=True",
                    "use_symmetric_activations: bool=False"):  # fmt: skip
        assert setting in text
    assert "MatMulConstBOnly" not in (found[0] / "quantization.py").read_text()
