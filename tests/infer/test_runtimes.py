"""Either runtime: chosen by name or by the files, and the same transcripts from both."""

from dataclasses import replace

import numpy as np
import pytest
import torch as torch_library

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError
from whisper_qat.infer.runtimes import open_transcriber

RATE = 16_000


def speech(seconds):
    return np.random.default_rng(1).normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def converted(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "float"
    return onnx_folder(tiny_whisper, folder, audio_context="dynamic", margin_s=2.0)


def test_both_runtimes_transcribe_alike(tiny_whisper, converted):
    onnx = open_transcriber(converted, threads=1, max_new_tokens=20)
    torch = open_transcriber(tiny_whisper, max_new_tokens=20)
    assert onnx.context == AudioContext(mode="dynamic", margin_s=2.0)
    assert torch.context == AudioContext(mode="full")
    same_context = replace(torch, context=onnx.context)
    a, b = onnx.transcribe(speech(3)), same_context.transcribe(speech(3))
    assert a.tokens == b.tokens and a.text == b.text
    assert len(a.tokens) == 20 and a.chunks == 1 and a.wall_s > 0


def test_unknown_runtime_is_refused(tiny_whisper):
    with pytest.raises(InputError, match="runtime='tensorrt': expected one of onnx, torch"):
        open_transcriber(tiny_whisper, "tensorrt")


def test_threads_of_torch_are_those_of_its_process(tiny_whisper):
    before = torch_library.get_num_threads()
    try:
        open_transcriber(tiny_whisper, "torch", 1)
        assert torch_library.get_num_threads() == 1
    finally:
        torch_library.set_num_threads(before)
