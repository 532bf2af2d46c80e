"""Both graphs from one set of weights: planned equals built, and the runtime keeps the kernels."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.float_activations import float_activations_folder
from whisper_qat.export.onnx.folder import model_bytes, write_graphs
from whisper_qat.export.onnx.read import all_nodes
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.source import checkpoint_weights
from whisper_qat.export.weights import Weights
from whisper_qat.model import forward
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant import layers
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.ptq.round_to_nearest import round_to_nearest


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
    sizes = {name: onnx.load(str(small / name)).graph for name in (ENCODER_FILE, DECODER_FILE)}
    stored = sum(
        len(t.raw_data) for graph in sizes.values() for t in graph.initializer
        if t.name.endswith((".weight_q", ".scales"))
    )  # fmt: skip
    weights = sum(model.get_submodule(name).weight.numel() for name in cases.linear_layers(model))
    assert stored == weights * (0.5 + 4 / 16)
    assert model_bytes(small) == sum(p.stat().st_size for p in small.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["none", "int8", "int4"])
def test_real_weights_are_wired_like_the_training_forward(whisper_base, tmp_path, kind):
    model = load_whisper(whisper_base)
    made = round_to_nearest(model, default_rules(kind, 32)) if kind != "none" else None
    info = Info(
        quantization_type=kind, method="ptq", fine_tuned=False, audio_context={}, base_model={}
    )
    weights = checkpoint_weights(Final(model, made, info))
    write_graphs(WhisperShape.from_config(model.config.to_dict()), weights, tmp_path)
    folder = float_activations_folder(tmp_path, tmp_path / "float-activations")
    mel = np.random.default_rng(8).normal(size=(1, 80, 200)).astype(np.float32)
    tokens = np.array([[50258, 50265, 50359, 50363, 400, 500]], dtype=np.int64)
    with torch.no_grad(), layers.activations_in_float(model):
        encoded = forward.encode(model, torch.from_numpy(mel))
        state = forward.start(model, encoded)
        logits = forward.decode(model, torch.from_numpy(tokens), state).numpy()
    states = cases.session(folder / ENCODER_FILE).run(None, {"input_features": mel})[0]
    decoder = cases.OnnxDecoder(folder, cases.no_past(model.config, 1))
    found = [decoder(piece, states) for piece in np.split(tokens, [4, 5], axis=1)]
    # measured: 1.2e-6 (encoder) and 5e-6 (logits) in float and int8, 9e-6 and 1.6e-5 in int4
    assert cases.difference(states, encoded.numpy()) < 5e-5
    assert cases.difference(np.concatenate(found, axis=1), logits) < 5e-5
