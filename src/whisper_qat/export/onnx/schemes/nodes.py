"""How a scheme's layers are written as ONNX nodes and read back: `nodes` in the scheme's record.

A layer's product node has the layer's name, which onnxruntime's optimizer keeps; nodes around it
are named after it. Where schemes share a product, its metadata names the scheme, and without any
it is the first one's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import onnx
from onnx import TensorProto, helper

from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.model.onnx_files import SCHEME_KEY
from whisper_qat.quant.packing import unpack
from whisper_qat.quant.registry import parse_scheme, part, records
from whisper_qat.quant.scheme import Scheme

Settings = dict[str, Any]  # attributes of a node
Stored = Callable[[str], np.ndarray]  # a value's name -> the initializer behind it


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


@dataclass(frozen=True, kw_only=True, eq=False)
class WrittenWeight:
    """A weight [N, K] as stored: codes uint8 [N, blocks*block] and scales float32 [N, blocks]."""

    scheme: Scheme
    codes: np.ndarray
    scales: np.ndarray
    in_features: int


class SchemeNodes(Protocol):
    """Interface of a scheme's module here; `codes` and `scales` are names of stored tensors."""

    PRODUCT: str  # the operator of the node that has a layer's name
    OPERATORS: tuple[str, ...]  # operators that need no metadata to be known as such nodes

    def product_settings(self, scheme: Scheme) -> Settings:
        """The attributes of the product that decide its arithmetic."""

    def product(
        self, g: Graph, x: str, codes: str, scales: str, quantized: QuantizedWeight, *,
        name: str, bias: str | None = None,
    ) -> str:  # fmt: skip
        """Adds the layer's product, float32 x [batch, rows, K] -> [batch, rows, N]."""

    def written_weight(
        self, node: onnx.NodeProto, index: NodeIndex, stored: Stored
    ) -> WrittenWeight:
        """The scheme, codes and scales of the product `node`."""

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


def nodes_of_written(node: onnx.NodeProto) -> SchemeNodes | None:
    """The module that writes the layer of `node`; None for a node that is no layer's."""
    if name := scheme_name(node):
        return nodes_of(parse_scheme(name))
    modules: list[SchemeNodes] = [record.part("nodes") for record in records()]
    return next((nodes for nodes in modules if node.op_type in nodes.OPERATORS), None)


def scheme_name(node: onnx.NodeProto) -> str | None:
    """The scheme that the metadata of `node` names."""
    return next((entry.value for entry in node.metadata_props if entry.key == SCHEME_KEY), None)


def channel_weight(scheme: Scheme, packed: np.ndarray, scales: np.ndarray) -> WrittenWeight:
    """A weight of a channel scheme from its int8 codes [K, N] and scales [N]."""
    return WrittenWeight(
        scheme=scheme,
        codes=unpack(packed, scheme),
        scales=scales.reshape(-1, 1),
        in_features=len(packed),
    )


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
