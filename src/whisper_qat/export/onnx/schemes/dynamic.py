"""ONNX node of int8-dynamic: `DynamicQuantizeMatMul`, with one activation range per call."""

import onnx

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.onnx.schemes.nodes import (
    NodeIndex,
    Settings,
    Stored,
    WrittenWeight,
    channel_weight,
    float_product,
)
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.quant.channel_scheme import DynamicScheme

PRODUCT = "DynamicQuantizeMatMul"
OPERATORS = (PRODUCT,)
SCALES_INPUT, BIAS_INPUT = 2, 4


def product_settings(scheme: DynamicScheme) -> Settings:
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
    """The runtime's int8 product with one activation range per call.

    Weights are signed: unsigned ones take 2.5 times as long on a CPU with VNNI. Without VNNI
    u8 x s8 products saturate: `infer.onnx.session` then sets onnxruntime's option against it, for
    branches of `If` too, and `infer.kernels.dynamic_check` verifies the result.
    """
    inputs = [x, codes, scales] + (["", bias] if bias else [])
    return g.op(PRODUCT, *inputs, name=name, domain=MICROSOFT)


def written_weight(node: onnx.NodeProto, index: NodeIndex, stored: Stored) -> WrittenWeight:
    return channel_weight(DynamicScheme(), stored(node.input[1]), stored(node.input[SCALES_INPUT]))


def written_bias(node: onnx.NodeProto, index: NodeIndex) -> str | None:
    return node.input[BIAS_INPUT] if len(node.input) > BIAS_INPUT else None


def layer_nodes(node: onnx.NodeProto, index: NodeIndex) -> tuple[str, list[onnx.NodeProto]]:
    return node.input[0], [node]


def with_float_activations(
    node: onnx.NodeProto, index: NodeIndex
) -> dict[str, list[onnx.NodeProto]]:
    """A float product with the dequantized weight in place of the quantized one."""
    x, codes, scales, *rest = node.input  # rest: no zero point, the bias
    return {node.name: list(float_product(node, x, codes, scales, rest[1:]))}
