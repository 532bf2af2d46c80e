"""OpenVINO: error when missing, our tokens uncompressed, and a compressed run."""

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.errors import InputError
from whisper_qat.measure.systems import openvino_ours
from whisper_qat.measure.systems.openvino_ours import PARTS, make_openvino, open_openvino
from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.system import Setup, SystemMissing


def setup(folder):
    return Setup(folder=folder, threads=1, language="fr", max_new_tokens=6)


def test_missing(monkeypatch, tmp_path):
    def absent(module):
        raise SystemMissing(f"{module} cannot be imported")

    monkeypatch.setattr(openvino_ours, "require_module", absent)
    with pytest.raises(InputError, match="openvino cannot be imported"):
        open_openvino(setup(tmp_path))


@pytest.mark.slow
def test_float_graphs_give_our_tokens(tiny_whisper, tmp_path):
    """The wiring is right: what differs in a compressed model is its arithmetic."""
    openvino = pytest.importorskip("openvino")
    folder = onnx_folder(tiny_whisper, tmp_path / "onnx")
    for part in PARTS:
        openvino.save_model(
            openvino.Core().read_model(str(folder / f"{part}.onnx")), str(folder / f"{part}.xml"),
            compress_to_fp16=False,
        )  # fmt: skip
    audio = np.random.default_rng(0).normal(scale=0.1, size=16_000).astype(np.float32)
    system = open_openvino(setup(folder))
    assert system.transcribe(audio) == open_ours(setup(folder)).transcribe(audio)
    assert [system.decode_fixed(audio, n) for n in (1, 9)] == [1, 9]
    assert system.facts()["openvino"]


@pytest.mark.slow
def test_compressed_graphs_run(tiny_whisper, tmp_path):
    pytest.importorskip("nncf")
    make_openvino(tiny_whisper, tmp_path / "ov", {}, None)
    assert {f"{part}.bin" for part in PARTS} <= {p.name for p in (tmp_path / "ov").iterdir()}
    audio = np.zeros(16_000, np.float32)
    assert open_openvino(setup(tmp_path / "ov")).decode_fixed(audio, 5) == 5
