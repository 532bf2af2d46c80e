"""A row on torch agrees with onnxruntime, which does not load torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.data.clips.clip import Clip
from whisper_qat.measure.row import CorpusJob, RowJob, measure_row
from whisper_qat.measure.torch_row import measure_torch_row

RATE = 16_000


@pytest.fixture
def clips(tmp_path):
    audio = np.random.default_rng(0).normal(scale=0.1, size=2 * RATE)
    soundfile.write(tmp_path / "a.wav", audio, RATE)
    return [Clip(id="a", audio=str(tmp_path / "a.wav"), text="oui", duration_s=2.0)]


def job(folder, runtime, clips, path):
    return RowJob(
        name="tiny", folder=str(folder), runtime=runtime, threads=1, language="fr",
        max_new_tokens=5, corpora=[CorpusJob(name="set", clips=clips, path=path)],
    )  # fmt: skip


def tokens(path):
    return [json.loads(line)["tokens"] for line in path.read_text().splitlines()]


def test_the_rows_are_those_of_the_other_runtime(tiny_whisper, clips, tmp_path):
    before = torch.get_num_threads()
    try:
        found = measure_torch_row(job(tiny_whisper, "torch", clips, tmp_path / "torch.jsonl"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert found.load_s > 0
    converted = onnx_folder(tiny_whisper, tmp_path / "onnx")
    measure_row(job(converted, "onnx", clips, tmp_path / "onnx.jsonl"))
    assert tokens(tmp_path / "torch.jsonl") == tokens(tmp_path / "onnx.jsonl")
    assert len(tokens(tmp_path / "onnx.jsonl")[0]) == 5


def test_a_row_on_onnxruntime_imports_no_torch():
    code = (
        "import sys\nimport whisper_qat.measure.row\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
