"""Read back the graph that onnxruntime really runs, after its optimizer has changed it.

Fusions, folded constants and replaced kernels are visible only here. The session has the same
options as all other sessions of this project.
"""

import tempfile
from pathlib import Path

import onnx

from whisper_qat.infer.onnx.session import session

NAME = "optimized.onnx"


def optimized_model(path: Path) -> onnx.ModelProto:
    """The optimized graph of the file `path`, without its large constants.

    It is first written to a temporary folder, which takes as much space as the model with float32
    scales.
    InputError for a file that onnxruntime cannot load.
    """
    with tempfile.TemporaryDirectory(prefix="optimized-") as scratch:
        target = Path(scratch) / NAME
        session(path, threads=1, save_optimized=target)
        return onnx.load(str(target), load_external_data=False)
