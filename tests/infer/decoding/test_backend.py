"""Every backend offers what the decoder asks for."""

import inspect

import pytest

from tests.infer.scripted import ScriptedBackend
from whisper_qat.infer.decoding.backend import Backend
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend


@pytest.mark.parametrize("backend", [OnnxBackend, TorchBackend, ScriptedBackend])
@pytest.mark.parametrize("method", ["encode", "logits"])
def test_a_backend_takes_what_the_protocol_says(backend, method):
    wanted = inspect.signature(getattr(Backend, method)).parameters
    assert list(inspect.signature(getattr(backend, method)).parameters) == list(wanted)
