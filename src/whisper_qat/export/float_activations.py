"""The graphs with activation quantization off: what the wiring alone computes.

MatMulNBits with accuracy_level 1 takes its activations in float32 and keeps codes and scales. That
separates a wrongly wired graph (off by anything) from rounding that cascades.
"""

import os
import shutil
from pathlib import Path

from whisper_qat.export.read import WrittenModel

LEVEL_FP32 = 1


def float_activations(path: Path) -> bytes:
    """The graph of the file `path` with float32 activations in every product.

    For a session from bytes, `session.model_external_initializers_file_folder_path` names the
    folder of the external data.
    """
    model = WrittenModel(path)
    for node in model.quantized_nodes.values():
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = LEVEL_FP32
    return model.proto.SerializeToString()


def float_activations_folder(folder: Path, target: Path) -> Path:
    """`folder` as `target`, with float32 activations; its large files are linked, not copied."""
    target.mkdir(parents=True)
    for path in folder.iterdir():
        if path.suffix == ".onnx":
            (target / path.name).write_bytes(float_activations(path))
        elif path.is_file():
            link_or_copy(path, target / path.name)
    return target


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link (onnxruntime refuses data behind symbolic links), a copy across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
