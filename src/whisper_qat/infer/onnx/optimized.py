"""The graph that onnxruntime really runs: what its optimizer makes of a file, read back.

Fusions, folded constants and replaced kernels show here and nowhere else. The session has the very
options of every other session of ours.
"""

import tempfile
from pathlib import Path

import onnx

from whisper_qat.infer.onnx.session import session

NAME = "optimized.onnx"


def optimized_model(path: Path) -> onnx.ModelProto:
    """The optimized graph of the file `path`, its large constants left out.

    Written to a temporary folder first, which needs as much room as the model, scales in float32.
    InputError for a file that onnxruntime cannot load.
    """
    with tempfile.TemporaryDirectory(prefix="optimized-") as scratch:
        target = Path(scratch) / NAME
        session(path, threads=1, save_optimized=target)
        return onnx.load(str(target), load_external_data=False)
