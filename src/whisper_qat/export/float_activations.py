"""The graphs with activation quantization off: what the wiring alone computes.

MatMulNBits with accuracy_level 1 takes its activations in float32 and keeps codes and scales;
DynamicQuantizeMatMul becomes a float product with the weight that its codes and scales mean. That
separates a wrongly wired graph (off by anything) from rounding that cascades.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from whisper_qat.export.read import DYNAMIC, WrittenModel

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
    in_float(model.proto.graph)
    return model.proto.SerializeToString()


def in_float(graph: onnx.GraphProto) -> None:
    """Replace the dynamic products of `graph` and of its branches, in place."""
    nodes = [new for node in graph.node for new in float_product(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                in_float(attribute.g)


def float_product(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """`node`, or for a dynamic product x @ (codes * scale) + bias.

    Not by DequantizeLinear: onnxruntime turns that before a MatMul into MatMulNBits of level 4.
    """
    if node.op_type != DYNAMIC:
        yield node
        return
    x, codes, scales, *rest = node.input
    bias = rest[1:]  # behind the zero point, which is left out
    name, output = node.name, node.output[0]
    steps = [f"{name}/{part}" for part in ("codes", "weight", "product")]
    yield helper.make_node("Cast", [codes], [steps[0]], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [steps[0], scales], [steps[1]])
    yield helper.make_node("MatMul", [x, steps[1]], [steps[2] if bias else output], name)
    if bias:
        yield helper.make_node("Add", [steps[2], *bias], [output], f"{name}/bias")


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
