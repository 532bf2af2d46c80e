"""Our engine: its transcript, and a fixed number of tokens."""

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.system import Setup


@pytest.fixture(scope="module")
def folder(tiny_whisper, tmp_path_factory):
    return onnx_folder(tiny_whisper, tmp_path_factory.mktemp("ours") / "onnx")


def test_transcript_and_fixed_length(folder):
    system = open_ours(Setup(folder=folder, threads=1, language="fr", max_new_tokens=6))
    audio = np.random.default_rng(0).normal(scale=0.1, size=16_000).astype(np.float32)
    plain = Transcriber.from_folder(folder, 1, language="fr", max_new_tokens=6)
    assert system.transcribe(audio) == plain.transcribe(audio).text
    assert [system.decode_fixed(audio, n) for n in (1, 9)] == [1, 9]
    assert system.facts()["onnxruntime"]
