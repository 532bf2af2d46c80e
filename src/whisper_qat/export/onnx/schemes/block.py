"""ONNX nodes of the block schemes: `MatMulNBits` for products, `GatherBlockQuantized` for lookups.

In the absence of zero points both operators assume 2^(bits-1).
"""

import numpy as np
import onnx

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.onnx.schemes.nodes import (
    NodeIndex,
    Settings,
    Stored,
    WrittenWeight,
    attributes,
)
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.quant.block_scheme import BlockScheme, unpack
from whisper_qat.quant.scheme import Scheme

PRODUCT, LOOKUP = "MatMulNBits", "GatherBlockQuantized"
OPERATORS = (PRODUCT, LOOKUP)
SCALES_INPUT, BIAS_INPUT = 2, 5
LEVEL_INT8 = 4  # MatMulNBits accuracy_level: int8 activations per row and block
LEVEL_FP32 = 1


def product_settings(scheme: Scheme) -> Settings:
    return {**lookup_settings(scheme), "accuracy_level": LEVEL_INT8}


def lookup_settings(scheme: Scheme) -> Settings:
    return {"bits": scheme.bits, "block_size": scheme.block_size}


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
    """The block-quantized product as a MatMulNBits node."""
    inputs = [x, codes, scales] + (["", "", bias] if bias else [])
    return g.op(
        PRODUCT,
        *inputs,
        name=name,
        domain=MICROSOFT,
        K=quantized.in_features,
        N=quantized.out_features,
        **product_settings(quantized.scheme),
    )


def lookup(
    g: Graph, ids: str, codes: str, scales: str, quantized: QuantizedWeight, *, name: str
) -> str:
    """Rows of the token table; 3-D codes, as MatMulNBits needs them, are reshaped for Gather."""
    flat = g.op("Reshape", codes, g.constant([quantized.out_features, -1]))
    settings = lookup_settings(quantized.scheme)
    rows = g.op(
        LOOKUP,
        flat,
        ids,
        scales,
        name=name,
        domain=MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        **settings,
    )
    if quantized.in_features % settings["block_size"] == 0:
        return rows
    end = g.constant([quantized.in_features])
    return g.op("Slice", rows, g.constant([0]), end, g.constant([-1]))


def written_weight(node: onnx.NodeProto, index: NodeIndex, stored: Stored) -> WrittenWeight:
    settings, scales = attributes(node), stored(node.input[SCALES_INPUT])
    scheme = BlockScheme(settings["bits"], settings["block_size"], str(scales.dtype))
    return WrittenWeight(
        scheme=scheme,
        codes=unpack(stored(node.input[1]), scheme),
        scales=scales.astype(np.float32).reshape(settings["N"], -1),
        in_features=settings["K"],
    )


def written_bias(node: onnx.NodeProto, index: NodeIndex) -> str | None:
    return node.input[BIAS_INPUT] if len(node.input) > BIAS_INPUT else None


def layer_nodes(node: onnx.NodeProto, index: NodeIndex) -> tuple[str, list[onnx.NodeProto]]:
    return node.input[1 if node.op_type == LOOKUP else 0], [node]


def with_float_activations(
    node: onnx.NodeProto, index: NodeIndex
) -> dict[str, list[onnx.NodeProto]]:
    """The same operator with accuracy_level 1 (float activations); lookups stay as they are."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for attribute in copy.attribute:
        if attribute.name == "accuracy_level":
            attribute.i = LEVEL_FP32
    return {node.name: [copy]}
