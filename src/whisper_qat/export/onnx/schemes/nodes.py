"""How a scheme's layers are written as ONNX nodes and read back: `nodes` in the scheme's record.

A layer's product node has the layer's name, which onnxruntime's optimizer keeps; nodes around it
are named after it. Where two schemes share a product, it is read back as the first scheme's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import onnx
from onnx import TensorProto, helper

from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.quant.registry import part, records
from whisper_qat.quant.scheme import Scheme

Settings = dict[str, Any]  # attributes of a node


@dataclass(frozen=True)
class NodeIndex:
    """Nodes by name and by output; where several have an output of the same name, the last."""

    named: Mapping[str, onnx.NodeProto]
    producers: Mapping[str, onnx.NodeProto]

    @classmethod
    def of(cls, nodes: Iterable[onnx.NodeProto]) -> Self:
        nodes = list(nodes)
        named = {node.name: node for node in nodes}
        return cls(named, {output: node for node in nodes for output in node.output})


class SchemeNodes(Protocol):
    """Interface of a scheme's module here; `codes` and `scales` are names of stored tensors."""

    PRODUCT: str  # the operator of the node that has a layer's name
    OPERATORS: tuple[str, ...]  # operators of all such nodes: product and lookup
    SCALES_INPUT: int  # of the product; its codes are input 1

    def product_settings(self, scheme: Scheme) -> Settings:
        """The attributes of the product that decide its arithmetic."""

    def product(
        self, g: Graph, x: str, codes: str, scales: str, quantized: QuantizedWeight, *,
        name: str, bias: str | None = None,
    ) -> str:  # fmt: skip
        """Adds the layer's product, float32 x [batch, rows, K] -> [batch, rows, N]."""

    def written_scheme(self, node: onnx.NodeProto, scale_dtype: str) -> Scheme:
        """The scheme of the product `node`, with its scales stored as `scale_dtype`."""

    def written_bias(self, node: onnx.NodeProto, index: NodeIndex) -> str | None:
        """The initializer that is added to the product `node`."""

    def layer_nodes(
        self, node: onnx.NodeProto, index: NodeIndex
    ) -> tuple[str, list[onnx.NodeProto]]:
        """The layer's input and its nodes in order, the last computing its output."""

    def with_float_activations(
        self, node: onnx.NodeProto, index: NodeIndex
    ) -> dict[str, list[onnx.NodeProto]]:
        """Node name -> its replacement, so that the layer computes with unrounded activations."""


class LookupNodes(SchemeNodes, Protocol):
    """Interface of a scheme's module where the scheme `has_lookup`."""

    LOOKUP: str  # the operator that reads the token table

    def lookup_settings(self, scheme: Scheme) -> Settings:
        """The attributes of the lookup that decide its arithmetic."""

    def lookup(
        self, g: Graph, ids: str, codes: str, scales: str, quantized: QuantizedWeight, *, name: str
    ) -> str:
        """Adds the lookup of int64 tokens [batch, seq]: rows of the table [batch, seq, K]."""


def nodes_of(scheme: Scheme) -> SchemeNodes:
    nodes: SchemeNodes = part(scheme, "nodes")
    return nodes


def lookup_nodes_of(scheme: Scheme) -> LookupNodes:
    assert scheme.has_lookup, f"{scheme}: no lookup"  # plans with such a table are refused
    nodes: LookupNodes = part(scheme, "nodes")
    return nodes


def nodes_by_operator() -> dict[str, SchemeNodes]:
    """Operator of a quantized layer's node -> the module that writes it."""
    found: dict[str, SchemeNodes] = {}
    for record in records():
        nodes: SchemeNodes = record.part("nodes")
        for operator in nodes.OPERATORS:
            found.setdefault(operator, nodes)
    return found


def float_product(
    node: onnx.NodeProto, x: str, codes: str, scales: str, bias: Iterable[str]
) -> Iterator[onnx.NodeProto]:
    """Nodes for x @ (codes * scale) + bias in place of `node`; the codes have no zero point.

    DequantizeLinear is avoided: before a MatMul onnxruntime fuses it into MatMulNBits with
    accuracy_level 4.
    """
    name, output, bias = node.name, node.output[0], list(bias)
    steps = [f"{name}/{part}" for part in ("codes", "weight", "product")]
    yield helper.make_node("Cast", [codes], [steps[0]], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [steps[0], scales], [steps[1]])
    yield helper.make_node("MatMul", [x, steps[1]], [steps[2] if bias else output], name)
    if bias:
        yield helper.make_node("Add", [steps[2], *bias], [output], f"{name}/bias")


def attributes(node: onnx.NodeProto) -> Settings:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}
