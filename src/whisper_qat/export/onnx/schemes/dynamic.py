"""int8-dynamic as a node: `DynamicQuantizeMatMul`, an int8 product with one range per call."""

import onnx

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.onnx.schemes.nodes import NodeIndex, Settings, float_product
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

    Signed weights: unsigned ones take 2.5 times as long where the CPU has VNNI. Where it has not,
    u8 x s8 saturates: `infer.onnx.session` asks onnxruntime for its cure, for a branch of `If`,
    too, and `infer.kernels.dynamic_check` sees whether it worked.
    """
    inputs = [x, codes, scales] + (["", bias] if bias else [])
    return g.op(PRODUCT, *inputs, name=name, domain=MICROSOFT)


def written_scheme(node: onnx.NodeProto, scale_dtype: str) -> DynamicScheme:
    return DynamicScheme()


def written_bias(node: onnx.NodeProto, index: NodeIndex) -> str | None:
    return node.input[BIAS_INPUT] if len(node.input) > BIAS_INPUT else None


def layer_nodes(node: onnx.NodeProto, index: NodeIndex) -> tuple[str, list[onnx.NodeProto]]:
    return node.input[0], [node]


def with_float_activations(
    node: onnx.NodeProto, index: NodeIndex
) -> dict[str, list[onnx.NodeProto]]:
    """A float product with the weight that codes and scales mean."""
    x, codes, scales, *rest = node.input  # rest: no zero point, the bias
    return {node.name: list(float_product(node, x, codes, scales, rest[1:]))}
