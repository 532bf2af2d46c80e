"""The graphs with activation quantization off: what the wiring alone computes.

Codes and scales of the weights stay; how a layer is kept from rounding its input is its scheme's
(`with_float_activations`). That separates a wrongly wired graph (off by anything) from rounding
that cascades.
"""

import os
import shutil
from pathlib import Path

import onnx

from whisper_qat.export.onnx.read import WrittenModel
from whisper_qat.export.onnx.schemes.nodes import NodeIndex, nodes_by_operator


def float_activations(path: Path) -> bytes:
    """The graph of the file `path` with float32 activations in every product.

    For a session from bytes, `session.model_external_initializers_file_folder_path` names the
    folder of the external data.
    """
    model = WrittenModel(path)
    in_float(model.proto.graph)
    return model.proto.SerializeToString()


def in_float(graph: onnx.GraphProto) -> None:
    """Replace the quantized layers of `graph` and of its branches, in place."""
    operators, index = nodes_by_operator(), NodeIndex.of(graph.node)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type in operators:
            replaced |= operators[node.op_type].with_float_activations(node, index)
    nodes = [new for node in graph.node for new in replaced.get(node.name, [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                in_float(attribute.g)


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
