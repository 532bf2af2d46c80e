"""The graphs with activation quantization off: what the wiring alone computes.

MatMulNBits with accuracy_level 1 takes its activations in float32 and keeps codes and scales;
the products of the channel schemes become float products with the weight that their codes and
scales mean. That separates a wrongly wired graph (off by anything) from rounding that cascades.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from whisper_qat.export.onnx.read import DYNAMIC, ROW, WrittenModel, row_input

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
    made = producers(graph)
    rows = {node.name: row_input(made, node) for node in graph.node if node.op_type == ROW}
    scaled = {f"{name}/rows" for name in rows}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == DYNAMIC:
            x, codes, scales, *rest = node.input  # rest: no zero point, the bias
            nodes += float_product(node, x, codes, scales, rest[1:])
        elif node.op_type == ROW:
            nodes += float_product(node, rows[node.name], node.input[1], node.input[3], [])
        elif node.name in scaled:
            nodes.append(helper.make_node("Identity", node.input[:1], node.output, node.name))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                in_float(attribute.g)


def float_product(
    node: onnx.NodeProto, x: str, codes: str, scales: str, bias: Sequence[str]
) -> Iterator[onnx.NodeProto]:
    """x @ (codes * scale) + bias in place of `node`.

    Not by DequantizeLinear: onnxruntime turns that before a MatMul into MatMulNBits of level 4.
    """
    name, output = node.name, node.output[0]
    steps = [f"{name}/{part}" for part in ("codes", "weight", "product")]
    yield helper.make_node("Cast", [codes], [steps[0]], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [steps[0], scales], [steps[1]])
    yield helper.make_node("MatMul", [x, steps[1]], [steps[2] if bias else output], name)
    if bias:
        yield helper.make_node("Add", [steps[2], *bias], [output], f"{name}/bias")


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in graph.node for output in node.output}


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
