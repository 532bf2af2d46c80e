"""ONNX nodes of the two-level schemes: int8-row's product, with its weights unpacked at load.

Codes are shifted and masked out of their planes of bits, multiplied by the factors of their blocks
and cast to int8. All inputs of these nodes are constants, so onnxruntime computes them once, when
it loads the model, and the product sees an int8 weight. They lie in the root graph, where a branch
of `If` reads the result.
"""

import numpy as np
import onnx
from onnx import TensorProto

from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.schemes import row
from whisper_qat.export.onnx.schemes.nodes import (
    NodeIndex,
    Settings,
    Stored,
    WrittenWeight,
    scheme_name,
)
from whisper_qat.export.weights import QuantizedWeight
from whisper_qat.quant import two_level_scheme as packing
from whisper_qat.quant.two_level_scheme import TwoLevelScheme

PRODUCT = row.PRODUCT
OPERATORS = row.OPERATORS

written_bias = row.written_bias
layer_nodes = row.layer_nodes
with_float_activations = row.with_float_activations


def product_settings(scheme: TwoLevelScheme) -> Settings:
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
    """An int8 product with one activation scale per row, on weights unpacked from `codes`."""
    weight = unpacked(g.root, codes, quantized, name)
    return row.product(g, x, weight, scales, quantized, name=name, bias=bias)


def unpacked(g: Graph, codes: str, quantized: QuantizedWeight, name: str) -> str:
    """The weight int8 [K, N], -64 .. 64: (code - zero point) * factor."""
    scheme, columns = quantized.scheme, quantized.out_features
    blocks = scheme.num_blocks(quantized.in_features)
    length = blocks * scheme.block_length(quantized.in_features)
    _, factors = packing.split_scales(quantized.scales)
    stored = g.initializer(f"{name}.factors", packing.pack_factors(factors))
    factor = centred(g, plane(g, stored, packing.FACTOR_BITS, columns), packing.FACTOR_ZERO)
    if blocks % 2:
        factor = g.op("Slice", factor, g.constant([0]), g.constant([blocks]), g.constant([0]))
    code = centred(g, joined_planes(g, codes, scheme.bits, length, columns), scheme.zero_point)
    by_block = g.op("Reshape", code, g.constant([blocks, -1, columns]))
    value = g.op("Mul", by_block, g.op("Reshape", factor, g.constant([blocks, 1, columns])))
    value = g.op("Reshape", value, g.constant([length, columns]))
    if length != quantized.in_features:
        limits = g.constant([0]), g.constant([quantized.in_features]), g.constant([0])
        value = g.op("Slice", value, *limits, name=f"{name}/rows_of_k")
    return g.op("Cast", value, name=f"{name}/weight_int8", to=TensorProto.INT8)


def joined_planes(g: Graph, codes: str, bits: int, length: int, columns: int) -> str:
    """Stored codes int32 [length, columns] from all planes of `codes`."""
    first, shift, found = 0, 0, ""
    for width in packing.PLANES[bits]:
        end = first + length * width // 8
        limits = g.constant([first]), g.constant([end]), g.constant([0])
        part = codes if width == bits else g.op("Slice", codes, *limits)
        value = plane(g, part, width, columns)
        if shift:
            value = g.op("Mul", value, int32(g, 2**shift))
        found = g.op("Add", found, value) if found else value
        first, shift = end, shift + width
    return found


def plane(g: Graph, packed: str, width: int, columns: int) -> str:
    """Values int32 [rows * 8 / width, columns] of bytes [rows, columns], lowest bits first."""
    shifts = [[[shift] for shift in range(0, 8, width)]]
    apart = g.op("Reshape", packed, g.constant([-1, 1, columns]))
    shifted = g.op("BitShift", apart, g.constant(shifts, packing.PACKED_DTYPE), direction="RIGHT")
    masked = g.op("BitwiseAnd", shifted, g.constant(2**width - 1, packing.PACKED_DTYPE))
    rows = g.op("Reshape", masked, g.constant([-1, columns]))
    return g.op("Cast", rows, to=TensorProto.INT32)


def centred(g: Graph, values: str, zero_point: int) -> str:
    return g.op("Sub", values, int32(g, zero_point))


def int32(g: Graph, value: int) -> str:
    return g.constant(value, np.int32)


def written_weight(node: onnx.NodeProto, index: NodeIndex, stored: Stored) -> WrittenWeight:
    """The scheme is named in the node's metadata, as its operator has no place for it."""
    scheme = TwoLevelScheme.parse(scheme_name(node) or "")
    assert scheme is not None, node.name
    packed = stored(f"{node.name}.weight_q")
    codes = packing.unpack(packed, scheme)
    factors = packing.unpack_factors(
        stored(f"{node.name}.factors"), scheme.num_blocks(codes.shape[1])
    )
    channel = stored(node.input[row.SCALES_INPUT])
    cut = index.named.get(f"{node.name}/rows_of_k")
    return WrittenWeight(
        scheme=scheme,
        codes=codes,
        scales=factors * channel[:, None],
        in_features=int(stored(cut.input[2])[0]) if cut else codes.shape[1],
    )
