"""The part `nodes` of a scheme's record: how its layers are written as nodes, and read back.

A layer's product bears the layer's name, which onnxruntime's optimizer keeps; nodes around it are
named after it. Two schemes may share a product: what they write reads back as the first one's.
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
    """Nodes by name and by what they compute; of several that name a value alike, the last."""

    named: Mapping[str, onnx.NodeProto]
    producers: Mapping[str, onnx.NodeProto]

    @classmethod
    def of(cls, nodes: Iterable[onnx.NodeProto]) -> Self:
        nodes = list(nodes)
        named = {node.name: node for node in nodes}
        return cls(named, {output: node for node in nodes for output in node.output})


class SchemeNodes(Protocol):
    """A module of this package. `codes` and `scales` are names of stored tensors."""

    PRODUCT: str  # the operator of the node that bears a layer's name
    OPERATORS: tuple[str, ...]  # all that bear one: of a product and of a lookup
    SCALES_INPUT: int  # of the product; its codes are input 1

    def product_settings(self, scheme: Scheme) -> Settings:
        """The attributes of the product that decide its arithmetic."""

    def product(
        self, g: Graph, x: str, codes: str, scales: str, quantized: QuantizedWeight, *,
        name: str, bias: str | None = None,
    ) -> str:  # fmt: skip
        """x float32 [batch, rows, K] -> [batch, rows, N]."""

    def written_scheme(self, node: onnx.NodeProto, scale_dtype: str) -> Scheme:
        """The scheme that the product `node` computes in, its scales stored as `scale_dtype`."""

    def written_bias(self, node: onnx.NodeProto, index: NodeIndex) -> str | None:
        """The initializer that is added to the product `node`."""

    def layer_nodes(
        self, node: onnx.NodeProto, index: NodeIndex
    ) -> tuple[str, list[onnx.NodeProto]]:
        """What the layer of `node` reads, and its nodes in order, the last with its result."""

    def with_float_activations(
        self, node: onnx.NodeProto, index: NodeIndex
    ) -> dict[str, list[onnx.NodeProto]]:
        """Node name -> what replaces it, so that the layer computes with unrounded activations."""


class LookupNodes(SchemeNodes, Protocol):
    """The module of a scheme that `has_lookup`."""

    LOOKUP: str  # the operator that reads the token table

    def lookup_settings(self, scheme: Scheme) -> Settings:
        """The attributes of the lookup that decide its arithmetic."""

    def lookup(
        self, g: Graph, ids: str, codes: str, scales: str, quantized: QuantizedWeight, *, name: str
    ) -> str:
        """Tokens int64 [batch, seq] -> rows of the table [batch, seq, K]."""


def nodes_of(scheme: Scheme) -> SchemeNodes:
    nodes: SchemeNodes = part(scheme, "nodes")
    return nodes


def lookup_nodes_of(scheme: Scheme) -> LookupNodes:
    assert scheme.has_lookup, f"{scheme}: no lookup"  # plans of such a table are refused
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
    """x @ (codes * scale) + bias in place of `node`, for codes without a zero point.

    Not by DequantizeLinear: onnxruntime turns that before a MatMul into MatMulNBits of level 4.
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
