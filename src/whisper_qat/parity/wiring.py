"""Wiring: with activation quantization off on both sides, whole-graph logits must agree to 1e-4.

What is left then is float32 summation order; a wrong connection, scale or cache is off by far more.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.export.float_activations import float_activations_folder
from whisper_qat.infer.onnx_backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.fake_linear import activations_in_float, quantized_once
from whisper_qat.model.final import Final
from whisper_qat.parity.logits import compare
from whisper_qat.parity.material import Material

TOLERANCE = 1e-4


def check(final: Final, folder: Path, material: Material) -> dict[str, Any]:
    """Result of the gate as data: `relative`, `positions`, `passed`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        graphs = float_activations_folder(folder, Path(scratch) / "float")
        backend = OnnxBackend.from_folder(graphs)
        with quantized_once(final.model), activations_in_float(final.model):
            found = compare(TorchBackend(final.model), backend, material)
    return asdict(found) | {"tolerance": TOLERANCE, "passed": found.relative <= TOLERANCE}
