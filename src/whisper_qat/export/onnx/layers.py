"""The layers of Whisper as nodes: linear (float or quantized), norm, MLP, table and head."""

import numpy as np

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.weights import HEAD, TABLE, QuantizedWeight, Weights
from whisper_qat.quant.scheme import BlockScheme, DynamicScheme, RowScheme

LEVEL_INT8 = 4  # MatMulNBits accuracy_level: int8 activations per row and block
ROW_ZERO_POINT = 128  # of int8-row: symmetric codes, stored unsigned
LAYER_NORM_EPSILON = 1e-5  # torch's default; Whisper's config has no such setting


def linear(g: Graph, x: str, layer: str, weights: Weights, *, bias: bool = True) -> str:
    """x [..., K] -> [..., N]; the node bears the layer's name."""
    add = weights.tensor(f"{layer}.bias") if bias else None
    quantized = weights.quantized(layer)
    if quantized is not None:
        codes, scales = store_codes(g, layer, quantized)
        named = g.initializer(f"{layer}.bias", add) if add is not None else None
        product = PRODUCTS[type(quantized.scheme)]
        return product(g, x, codes, scales, quantized, name=layer, bias=named)
    kernel = g.stored(f"{layer}.weight", weights.stored(layer).T)
    y = g.op("MatMul", x, kernel, name=layer)
    if add is None:
        return y
    return g.op("Add", y, g.initializer(f"{layer}.bias", add), name=f"{layer}/bias")


def store_codes(g: Graph, layer: str, quantized: QuantizedWeight) -> tuple[str, str]:
    codes = g.initializer(f"{layer}.weight_q", quantized.packed)
    return codes, g.stored(f"{layer}.scales", quantized.stored_scales(layer))


def matmul_nbits(
    g: Graph,
    x: str,
    codes: str,
    scales: str,
    quantized: QuantizedWeight,
    *,
    name: str,
    bias: str | None = None,
) -> str:
    """The runtime's block-quantized product; without zero points they are 2^(bits-1)."""
    scheme = quantized.scheme
    assert isinstance(scheme, BlockScheme)
    inputs = [x, codes, scales] + (["", "", bias] if bias else [])
    return g.op(
        "MatMulNBits",
        *inputs,
        name=name,
        domain=MICROSOFT,
        K=quantized.in_features,
        N=quantized.out_features,
        bits=scheme.bits,
        block_size=scheme.block_size,
        accuracy_level=LEVEL_INT8,
    )


def dynamic_matmul(
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
    return g.op("DynamicQuantizeMatMul", *inputs, name=name, domain=MICROSOFT)


def row_matmul(
    g: Graph,
    x: str,
    codes: str,
    scales: str,
    quantized: QuantizedWeight,
    *,
    name: str,
    bias: str | None = None,
) -> str:
    """An int8 product with one activation scale per row; layers that read the same x share codes.

    The product's own activation scale is one number, so the rows' scales come after it.
    """
    row_codes, row_scales = g.once(f"{x}/rows", lambda: quantize_rows(g, x))
    one = g.constant(1.0, np.float32)
    zero_point = g.constant(ROW_ZERO_POINT, np.uint8)
    inputs = [row_codes, codes, one, scales, zero_point]
    y = g.op("MatMulIntegerToFloat", *inputs, name=name, domain=MICROSOFT)
    y = g.op("Mul", y, row_scales, name=f"{name}/rows")
    return y if bias is None else g.op("Add", y, bias, name=f"{name}/bias")


def quantize_rows(g: Graph, x: str) -> tuple[str, str]:
    """uint8 codes of x [batch, rows, K] and float32 scales [batch, rows, 1]: `row_activation`.

    QuantizeLinear takes a scale per row only of a matrix.
    """
    last, shape = g.constant([-1]), g.op("Shape", x)
    low = g.op("Neg", g.op("ReduceMin", x, last, keepdims=1))
    amax = g.op("Max", g.op("ReduceMax", x, last, keepdims=1), low)
    scales = g.op("Div", amax, g.constant(127.0, np.float32))
    scales = g.op("Max", scales, g.constant(np.finfo(np.float32).smallest_normal, np.float32))
    of_rows = g.op("Reshape", scales, last)
    zero_points = g.op("Expand", g.constant(ROW_ZERO_POINT, np.uint8), g.op("Shape", of_rows))
    width = g.op("Concat", last, g.op("Shape", x, start=-1), axis=0)
    rows = g.op("Reshape", x, width)
    codes = g.op("QuantizeLinear", rows, of_rows, zero_points, axis=0)
    return g.op("Reshape", codes, shape), scales


PRODUCTS = {BlockScheme: matmul_nbits, DynamicScheme: dynamic_matmul, RowScheme: row_matmul}


def layer_norm(g: Graph, x: str, layer: str, weights: Weights) -> str:
    scale = g.initializer(f"{layer}.weight", weights.tensor(f"{layer}.weight"))
    bias = g.initializer(f"{layer}.bias", weights.tensor(f"{layer}.bias"))
    return g.op(
        "LayerNormalization", x, scale, bias, name=layer, axis=-1, epsilon=LAYER_NORM_EPSILON
    )


def mlp(g: Graph, x: str, layer: str, weights: Weights) -> str:
    """fc1, exact GELU, fc2 of the encoder or decoder layer `layer`."""
    hidden = linear(g, x, f"{layer}.fc1", weights)
    hidden = g.op("Gelu", hidden, name=f"{layer}.activation_fn")
    return linear(g, hidden, f"{layer}.fc2", weights)


class TokenTable:
    """The token table, read by the embedding and by the tied output head, stored once."""

    def __init__(self, g: Graph, weights: Weights) -> None:
        self._g = g
        self._quantized = weights.quantized(TABLE)
        if self._quantized is not None:
            self._codes, self._scales = store_codes(g, TABLE, self._quantized)
        else:
            self._table = g.stored(f"{TABLE}.weight", weights.stored(TABLE))

    def embed(self, ids: str) -> str:
        """Tokens int64 [batch, seq] -> [batch, seq, d]."""
        if self._quantized is None:
            return self._g.op("Gather", self._table, ids, name=TABLE, axis=0)
        return self._embed_quantized(ids, self._quantized)

    def _embed_quantized(self, ids: str, quantized: QuantizedWeight) -> str:
        g = self._g  # 3-D codes, as MatMulNBits wants them, are refused by the Gather
        flat = g.op("Reshape", self._codes, g.constant([quantized.out_features, -1]))
        scheme = quantized.scheme
        assert isinstance(scheme, BlockScheme)  # the plan refuses another for the table
        rows = g.op(
            "GatherBlockQuantized",
            flat,
            ids,
            self._scales,
            name=TABLE,
            domain=MICROSOFT,
            bits=scheme.bits,
            block_size=scheme.block_size,
            gather_axis=0,
            quantize_axis=1,
        )
        if quantized.in_features % scheme.block_size == 0:
            return rows
        end = g.constant([quantized.in_features])
        return g.op("Slice", rows, g.constant([0]), end, g.constant([-1]))

    def head(self, x: str) -> str:
        """Hidden states [batch, seq, d] -> logits [batch, seq, vocab]."""
        g = self._g
        if self._quantized is not None:
            return matmul_nbits(g, x, self._codes, self._scales, self._quantized, name=HEAD)
        transposed = g.op("Transpose", self._table, perm=[1, 0])
        return g.op("MatMul", x, transposed, name=HEAD)


def positions(g: Graph, weights: Weights, layer: str) -> str:
    """The table of position vectors [positions, d] of the encoder or decoder."""
    name = f"{layer}.embed_positions"
    return g.stored(f"{name}.weight", weights.stored(name))
