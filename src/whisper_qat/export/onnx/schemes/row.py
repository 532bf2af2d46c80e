"""ONNX nodes of int8-row and int7-row: `QuantizeLinear` by rows, then `MatMulIntegerToFloat`.

The product takes a single activation scale, so the rows' scales are multiplied in after it, and the
bias is added last. Layers that read the same input share its codes.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.onnx.schemes.nodes import (
    NodeIndex,
    Settings,
    Stored,
    WrittenWeight,
    channel_weight,
    float_product,
    scheme_name,
)
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.model.onnx_files import SCHEME_KEY
from whisper_qat.quant.channel_scheme import RowScheme

PRODUCT = "MatMulIntegerToFloat"
LOOKUP = "Gather"
OPERATORS = (PRODUCT,)
SCALES_INPUT = 3
ZERO_POINT = 128  # of the activations: symmetric codes, stored unsigned
DEFAULT = RowScheme()  # of a product whose metadata names none


def product_settings(scheme: RowScheme) -> Settings:
    return {}


def product(
    g: Graph,
    x: str,
    codes: str,
    scales: str,
    quantized: QuantizedWeight,
    *,
    name: str,
    bias: str | None = None,
) -> str:
    """An int8 product with one activation scale per row; `codes` are int8 [K, N]."""
    row_codes, row_scales = g.once(f"{x}/rows", lambda: quantize_rows(g, x))
    one = g.constant(1.0, np.float32)
    zero_point = g.constant(ZERO_POINT, np.uint8)
    inputs = [row_codes, codes, one, scales, zero_point]
    scheme = quantized.scheme
    metadata = {} if scheme == DEFAULT else {SCHEME_KEY: scheme.name}
    y = g.op(PRODUCT, *inputs, name=name, domain=MICROSOFT, metadata=metadata)
    y = g.op("Mul", y, row_scales, name=f"{name}/rows")
    return y if bias is None else g.op("Add", y, bias, name=f"{name}/bias")


def lookup_settings(scheme: RowScheme) -> Settings:
    return {}


def lookup(
    g: Graph, ids: str, codes: str, scales: str, quantized: QuantizedWeight, *, name: str
) -> str:
    """Rows of the token table, code times scale; the table is stored for the product, int8 [K, N].

    A token's codes are a column there: 2 KB apart in Whisper base, which is little beside a step.
    """
    metadata = {SCHEME_KEY: quantized.scheme.name}
    columns = g.op(LOOKUP, codes, ids, name=name, metadata=metadata, axis=1)
    rows = g.op("Transpose", columns, name=f"{name}/by_token", perm=[1, 2, 0])
    rows = g.op("Cast", rows, name=f"{name}/codes", to=TensorProto.FLOAT)
    of_tokens = g.op("Gather", scales, ids, name=f"{name}/scales", axis=0)
    of_tokens = g.op("Unsqueeze", of_tokens, g.constant([-1]), name=f"{name}/scales_by_token")
    return g.op("Mul", rows, of_tokens, name=f"{name}/values")


def quantize_rows(g: Graph, x: str) -> tuple[str, str]:
    """Quantize x [batch, rows, K] by rows: uint8 codes and float32 scales [batch, rows, 1].

    The rounding is that of `row_activation`. QuantizeLinear supports a scale per row only for
    a matrix.
    """
    last, shape = g.constant([-1]), g.op("Shape", x)
    low = g.op("Neg", g.op("ReduceMin", x, last, keepdims=1))
    amax = g.op("Max", g.op("ReduceMax", x, last, keepdims=1), low)
    scales = g.op("Div", amax, g.constant(127.0, np.float32))
    scales = g.op("Max", scales, g.constant(np.finfo(np.float32).smallest_normal, np.float32))
    of_rows = g.op("Reshape", scales, last)
    zero_points = g.op("Expand", g.constant(ZERO_POINT, np.uint8), g.op("Shape", of_rows))
    width = g.op("Concat", last, g.op("Shape", x, start=-1), axis=0)
    rows = g.op("Reshape", x, width)
    codes = g.op("QuantizeLinear", rows, of_rows, zero_points, axis=0)
    return g.op("Reshape", codes, shape), scales


def written_weight(node: onnx.NodeProto, index: NodeIndex, stored: Stored) -> WrittenWeight:
    scheme = RowScheme.parse(scheme_name(node) or DEFAULT.name)
    assert scheme is not None, node.name
    return channel_weight(scheme, stored(node.input[1]), stored(node.input[SCALES_INPUT]))


def written_bias(node: onnx.NodeProto, index: NodeIndex) -> str | None:
    add = index.named.get(f"{node.name}/bias")
    return add.input[1] if add else None


def layer_nodes(node: onnx.NodeProto, index: NodeIndex) -> tuple[str, list[onnx.NodeProto]]:
    """The layer's input and its nodes: from the rounding of the rows to the bias, or a lookup's."""
    is_lookup = node.op_type == LOOKUP
    x = node.input[1] if is_lookup else float_input(node, index.producers)
    nodes = {}

    def collect(value: str) -> None:
        if value != x and value in index.producers and value not in nodes:
            for earlier in index.producers[value].input:
                collect(earlier)
            nodes[value] = index.producers[value]

    if is_lookup:
        last = index.named[f"{node.name}/values"]
    else:
        last = index.named.get(f"{node.name}/bias") or index.named[f"{node.name}/rows"]
    collect(last.output[0])
    return x, list(nodes.values())


def float_input(node: onnx.NodeProto, producers: Mapping[str, onnx.NodeProto]) -> str:
    """The float value whose quantized rows the product `node` reads."""
    rounded = producers[node.input[0]]  # Reshape(QuantizeLinear(Reshape(x)))
    return producers[producers[rounded.input[0]].input[0]].input[0]


def with_float_activations(
    node: onnx.NodeProto, index: NodeIndex
) -> dict[str, list[onnx.NodeProto]]:
    """A float product with the dequantized weight, without the rows' scales; lookups stay."""
    if node.op_type == LOOKUP:
        return {}
    x = float_input(node, index.producers)
    rows = index.named[f"{node.name}/rows"]
    passed_on = helper.make_node("Identity", rows.input[:1], rows.output, rows.name)
    product = float_product(node, x, node.input[1], node.input[SCALES_INPUT], [])
    return {node.name: list(product), rows.name: [passed_on]}
