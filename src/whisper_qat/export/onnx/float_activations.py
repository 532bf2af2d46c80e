"""Graphs with activation quantization turned off, to test their wiring without rounding.

Codes and scales of the weights stay; each scheme defines how its layers are kept from rounding
their input (`with_float_activations`). This distinguishes a wiring error, which may be of any size,
from rounding differences that cascade.
"""

import os
import shutil
from pathlib import Path

import onnx

from whisper_qat.export.onnx.read import WrittenModel
from whisper_qat.export.onnx.schemes.nodes import NodeIndex, nodes_of_written


def float_activations(path: Path) -> bytes:
    """The graph of the file `path`, serialized, with float32 activations in every product.

    For a session from bytes, `session.model_external_initializers_file_folder_path` names the
    folder of the external data.
    """
    model = WrittenModel(path)
    in_float(model.proto.graph)
    return model.proto.SerializeToString()


def in_float(graph: onnx.GraphProto) -> None:
    """Give the quantized layers of `graph` and its branches float activations, in place."""
    index = NodeIndex.of(graph.node)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if (writer := nodes_of_written(node)) is not None:
            replaced |= writer.with_float_activations(node, index)
    nodes = [new for node in graph.node for new in replaced.get(node.name, [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                in_float(attribute.g)


def float_activations_folder(folder: Path, target: Path) -> Path:
    """Copy `folder` to `target` with float32 activations; large files are hard-linked."""
    target.mkdir(parents=True)
    for path in folder.iterdir():
        if path.suffix == ".onnx":
            (target / path.name).write_bytes(float_activations(path))
        elif path.is_file():
            link_or_copy(path, target / path.name)
    return target


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link (onnxruntime refuses symbolic ones), or a copy across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
