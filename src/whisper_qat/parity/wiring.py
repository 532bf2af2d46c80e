"""Wiring check: without activation quantization, whole-graph logits must agree to 1e-4.

It is off on both sides, which leaves only float32 summation order; a wrong connection, scale or
cache gives far larger differences.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.data.utterances import Material
from whisper_qat.export.onnx.float_activations import float_activations_folder
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import activations_in_float, quantized_once
from whisper_qat.parity.logits import compare

TOLERANCE = 1e-4


def check(final: Final, folder: Path, material: Material) -> dict[str, Any]:
    """Result of the check as data: `relative`, `positions`, `passed`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        graphs = float_activations_folder(folder, Path(scratch) / "float")
        backend = OnnxBackend.from_folder(graphs)
        with quantized_once(final.model), activations_in_float(final.model):
            found = compare(TorchBackend(final.model), backend, material)
    return asdict(found) | {"tolerance": TOLERANCE, "passed": found.relative <= TOLERANCE}
