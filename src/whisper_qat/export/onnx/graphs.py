"""All graphs of a Whisper in one folder: encoder, merged decoder, and the engine's own two."""

from pathlib import Path

from whisper_qat.export.onnx.decoder import build_decoder
from whisper_qat.export.onnx.encoder import build_encoder
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.onnx.step import build_step
from whisper_qat.export.weights import Weights


def write_graphs(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes the ONNX files; InputError when a planned layer or a tensor found no place."""
    build_encoder(shape, weights, folder)
    build_decoder(shape, weights, folder)
    weights.check_all_used()
    build_step(folder)


def model_bytes(folder: Path) -> int:
    """Size of all .onnx files and their external data, and of nothing else."""
    return sum(p.stat().st_size for p in folder.rglob("*") if ".onnx" in p.name)
