"""Both graphs from one set of weights: planned equals built, and the runtime keeps the kernels."""

import onnx
import onnxruntime as ort
import pytest

from tests.export import cases
from whisper_qat.config import InputError
from whisper_qat.export.decoder import DECODER_FILE
from whisper_qat.export.encoder import ENCODER_FILE
from whisper_qat.export.folder import model_bytes, write_graphs
from whisper_qat.export.read import all_nodes
from whisper_qat.export.shape import WhisperShape
from whisper_qat.export.weights import Weights


def test_planned_layer_not_in_the_graphs_raises(tmp_path):
    model = cases.tiny_whisper()
    named = cases.tensors(model)
    name = "model.encoder.layers.0.fc1"
    wrong = {"model.encoder.layers.9.fc1": cases.quantize(named[f"{name}.weight"], cases.INT8)}
    shape = WhisperShape.from_config(model.config.to_dict())
    with pytest.raises(InputError, match=r"no such layer in the graphs: model.encoder.layers.9"):
        write_graphs(shape, Weights(named, wrong), tmp_path)


def test_leftover_tensor_raises(tmp_path):
    model = cases.tiny_whisper()
    named = cases.tensors(model) | {"proj_out.weight": model.proj_out.weight.detach().numpy()}
    shape = WhisperShape.from_config(model.config.to_dict())
    with pytest.raises(InputError, match=r"no place in Whisper: proj_out\.weight"):
        write_graphs(shape, Weights(named, {}), tmp_path)


@pytest.mark.parametrize("file", [ENCODER_FILE, DECODER_FILE])
def test_graphs_pass_the_onnx_checker(tmp_path, file):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    onnx.checker.check_model(str(folder / file), full_check=True)


@pytest.mark.parametrize("file", [ENCODER_FILE, DECODER_FILE])
def test_the_optimised_graph_keeps_the_planned_kernels(tmp_path, file):
    folder = cases.write(cases.tiny_whisper(), tmp_path, cases.INT4)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine only
    ort.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
    assert kernels(tmp_path / "optimised.onnx") == kernels(folder / file)
    assert len(kernels(folder / file)) == (12 if file == ENCODER_FILE else 22)


def kernels(path):
    model = onnx.load(str(path), load_external_data=False)
    ops = ("MatMulNBits", "GatherBlockQuantized")
    return sorted((n.name, n.op_type) for n in all_nodes(model.graph) if n.op_type in ops)


def test_int4_is_stored_as_small_as_it_should(tmp_path):
    model = cases.tiny_whisper()
    small = cases.write(model, tmp_path / "small", cases.INT4)
    sizes = {f.name: onnx.load(str(small / f.name)).graph for f in small.glob("*.onnx")}
    stored = sum(
        len(t.raw_data) for graph in sizes.values() for t in graph.initializer
        if t.name.endswith((".weight_q", ".scales"))
    )  # fmt: skip
    weights = sum(model.get_submodule(name).weight.numel() for name in cases.linear_layers(model))
    assert stored == weights * (0.5 + 4 / 16)
    assert model_bytes(small) == sum(p.stat().st_size for p in small.iterdir())
