"""onnxruntime against torch on the same weights: logits of every step, tokens, and the state."""

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder, ptq_folder
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.onnx import backend as onnx_backend
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend

STEPS = [[256, 259, 261, 267], [70], [80], [90, 100]]


@pytest.fixture(scope="module")
def converted(tiny_whisper, tmp_path_factory):
    return onnx_folder(tiny_whisper, tmp_path_factory.mktemp("onnx") / "float")


def mel(frames=3000, seed=0):
    return np.random.default_rng(seed).normal(size=(1, 80, frames)).astype(np.float32)


def all_logits(backend, features):
    state = backend.encode(features)
    return np.concatenate([backend.logits(np.array([t], np.int64), state) for t in STEPS], axis=1)


@pytest.mark.parametrize("frames", [3000, 400, 2])
def test_logits_of_every_step_are_those_of_torch(tiny_whisper, converted, frames):
    onnx, torch = OnnxBackend.from_folder(converted, 1), TorchBackend.from_folder(tiny_whisper)
    a, b = all_logits(onnx, mel(frames)), all_logits(torch, mel(frames))
    assert a.shape == b.shape and a.dtype == np.float32
    assert np.linalg.norm(a - b) / np.linalg.norm(b) < 1e-5  # float32 summation order


def test_states_of_two_utterances_do_not_mix(converted):
    backend = OnnxBackend.from_folder(converted, 1)
    first, second = backend.encode(mel(seed=1)), backend.encode(mel(200, seed=2))
    start, step = (np.array([tokens], np.int64) for tokens in STEPS[:2])
    backend.logits(start, first)
    backend.logits(start, second)
    interleaved = backend.logits(step, first)
    alone = backend.encode(mel(seed=1))
    backend.logits(start, alone)
    assert (interleaved == backend.logits(step, alone)).all()


def test_greedy_tokens_are_those_of_torch(tiny_whisper, converted):
    rules = read_rules(converted, language="fr", max_new_tokens=40)
    a = greedy(OnnxBackend.from_folder(converted, 2), mel()[0], rules)
    b = greedy(TorchBackend.from_folder(tiny_whisper), mel()[0], rules)
    assert a.tokens == b.tokens
    assert a.margins == pytest.approx(b.margins, abs=1e-3)


def test_kernels_of_the_plan_are_checked_once_per_scheme(tiny_whisper, tmp_path, monkeypatch):
    checked = []

    def check(scheme, *, in_branch):
        checked.append((scheme.name, in_branch))

    monkeypatch.setattr(onnx_backend, "check_kernel", check)
    OnnxBackend.from_folder(ptq_folder(tiny_whisper, tmp_path / "int4", "int4"), 1)
    assert checked == [("block-int4-32-f16", False), ("block-int8-32-f16", False)]


def test_a_folder_without_graphs_is_named(tmp_path):
    with pytest.raises(InputError, match="encoder_model.onnx: no such file"):
        OnnxBackend.from_folder(tmp_path)
