"""Reading an exported folder back: the codes, scales and nodes that the runtime will use.

The parity checks and the comparison of weight codes use these values from the files, never arrays
that the exporter still has in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import read_tensor
from whisper_qat.export.onnx.graph import IR_VERSION
from whisper_qat.export.onnx.schemes.nodes import NodeIndex, SchemeNodes, nodes_of_written
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant.scheme import Scheme


@dataclass(frozen=True)
class WrittenModel:
    """One .onnx file without its external data, which is read tensor by tensor."""

    path: Path

    @cached_property
    def proto(self) -> onnx.ModelProto:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; give a folder written by convert")
        return onnx.load(str(self.path), load_external_data=False)

    @cached_property
    def initializers(self) -> dict[str, onnx.TensorProto]:
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    @cached_property
    def quantized_nodes(self) -> dict[str, onnx.NodeProto]:
        """Kernel nodes by name, those inside `If` included."""
        nodes = all_nodes(self.proto.graph)
        return {node.name: node for node in nodes if nodes_of_written(node) is not None}

    @cached_property
    def index(self) -> NodeIndex:
        """All nodes, those inside `If` included."""
        return NodeIndex.of(all_nodes(self.proto.graph))

    def array(self, name: str) -> np.ndarray:
        """A copy of the initializer `name`, which torch may wrap."""
        return read_tensor(self.initializers[name], self.path.parent)

    def behind_cast(self, name: str) -> str:
        """The name of the initializer behind value `name`: itself, or what it is cast from."""
        if name in self.initializers:
            return name
        return next(n.input[0] for n in self.proto.graph.node if n.output[0] == name)

    def stored(self, value: str) -> np.ndarray:
        """A copy of the initializer behind `value`."""
        return self.array(self.behind_cast(value))

    def with_data(self, name: str) -> onnx.TensorProto:
        return numpy_helper.from_array(self.array(name), name)


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from all_nodes(attribute.g)


@dataclass(frozen=True, kw_only=True, eq=False)
class WrittenLayer:
    """A quantized layer as stored: codes uint8 [N, blocks*block], scales f32 [N, blocks]."""

    name: str
    scheme: Scheme
    in_features: int
    codes: np.ndarray
    scales: np.ndarray
    bias: np.ndarray | None


def models(folder: Path) -> list[WrittenModel]:
    return [WrittenModel(folder / ENCODER_FILE), WrittenModel(folder / DECODER_FILE)]


def quantized_layers(folder: Path) -> list[str]:
    """The quantized layers found in the files; the table and the tied head count as one."""
    names = [name for model in models(folder) for name in model.quantized_nodes]
    return [name for name in names if name != HEAD]


def read_codes(folder: Path) -> dict[str, np.ndarray]:
    """Planned layer name -> codes uint8 [N, blocks*block]; InputError without graphs."""
    return {name: read_layer(folder, name).codes for name in quantized_layers(folder)}


def read_grids(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Planned layer name -> smallest and largest code, weights per scale, K.

    Codes of two folders are comparable where these are equal.
    """
    layers = (read_layer(folder, name) for name in quantized_layers(folder))
    return {
        layer.name: (
            layer.scheme.min_code, layer.scheme.max_code,
            layer.scheme.block_length(layer.in_features), layer.in_features,
        )
        for layer in layers
    }  # fmt: skip


def read_layer(folder: Path, name: str) -> WrittenLayer:
    """The layer `name` (a planned name, or proj_out for the head over the table)."""
    model = find_model(folder, name)
    node = model.quantized_nodes[HEAD if name == TABLE else name]
    nodes = writer(node)
    weight = nodes.written_weight(node, model.index, model.stored)
    bias = nodes.written_bias(node, model.index)
    return WrittenLayer(
        name=name,
        scheme=weight.scheme,
        in_features=weight.in_features,
        codes=weight.codes,
        scales=weight.scales,
        bias=model.array(bias) if bias else None,
    )


def writer(node: onnx.NodeProto) -> SchemeNodes:
    """The module that wrote the layer of `node`."""
    nodes = nodes_of_written(node)
    assert nodes is not None, node.op_type
    return nodes


def find_model(folder: Path, name: str) -> WrittenModel:
    for model in models(folder):
        if name in model.quantized_nodes:
            return model
    raise InputError(f"{folder}: no quantized node named {name!r}")


def one_node_model(folder: Path, name: str) -> bytes:
    """A model of the exported node `name` alone, weights included: input "x", output "y".

    x is float32 [..., K] for a product and int64 tokens for the table's Gather.
    """
    model = find_model(folder, name)
    written = model.quantized_nodes[name]
    x, nodes = writer(written).layer_nodes(written, model.index)
    constants = [n for node in nodes for n in constant_producers(model, node) if n not in nodes]
    nodes = [*constants, *(renamed(node, {x: "x", nodes[-1].output[0]: "y"}) for node in nodes)]
    used = sorted({i for n in nodes for i in n.input} & set(model.initializers))
    kind = TensorProto.INT64 if name == TABLE else TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, None)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, name, inputs, outputs, [model.with_data(i) for i in used])
    opsets = list(model.proto.opset_import)
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


def renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy of `node` with its inputs and outputs renamed according to `names`."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(value, value) for value in node.input]
    copy.output[:] = [names.get(value, value) for value in node.output]
    return copy


def constant_producers(model: WrittenModel, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that feed `node` from initializers alone, such as the Reshape of the token table."""
    return [
        other
        for other in model.proto.graph.node
        if other.output[0] in node.input and set(other.input) <= set(model.initializers)
    ]
