"""Whisper's layers as ONNX nodes: linear (float or quantized), norm, MLP, token table and head."""

from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.schemes.nodes import lookup_nodes_of, nodes_of
from whisper_qat.export.weights import QuantizedWeight, Weights
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE

LAYER_NORM_EPSILON = 1e-5  # torch's default; Whisper's config has no such setting


def linear(g: Graph, x: str, layer: str, weights: Weights, *, bias: bool = True) -> str:
    """Linear layer, x [..., K] -> [..., N]; its node has the layer's name."""
    add = weights.tensor(f"{layer}.bias") if bias else None
    quantized = weights.quantized(layer)
    if quantized is not None:
        codes, scales = store_codes(g, layer, quantized)
        named = g.initializer(f"{layer}.bias", add) if add is not None else None
        nodes = nodes_of(quantized.scheme)
        return nodes.product(g, x, codes, scales, quantized, name=layer, bias=named)
    kernel = g.stored(f"{layer}.weight", weights.stored(layer).T)
    y = g.op("MatMul", x, kernel, name=layer)
    if add is None:
        return y
    return g.op("Add", y, g.initializer(f"{layer}.bias", add), name=f"{layer}/bias")


def store_codes(g: Graph, layer: str, quantized: QuantizedWeight) -> tuple[str, str]:
    codes = g.initializer(f"{layer}.weight_q", quantized.packed)
    return codes, g.stored(f"{layer}.scales", quantized.stored_scales(layer))


def layer_norm(g: Graph, x: str, layer: str, weights: Weights) -> str:
    scale = g.initializer(f"{layer}.weight", weights.tensor(f"{layer}.weight"))
    bias = g.initializer(f"{layer}.bias", weights.tensor(f"{layer}.bias"))
    return g.op(
        "LayerNormalization", x, scale, bias, name=layer, axis=-1, epsilon=LAYER_NORM_EPSILON
    )


def mlp(g: Graph, x: str, layer: str, weights: Weights) -> str:
    """MLP of the encoder or decoder layer `layer`: fc1, exact GELU, fc2."""
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
        """Embeddings [batch, seq, d] of the tokens int64 [batch, seq]."""
        if self._quantized is None:
            return self._g.op("Gather", self._table, ids, name=TABLE, axis=0)
        nodes, codes, scales = lookup_nodes_of(self._quantized.scheme), self._codes, self._scales
        return nodes.lookup(self._g, ids, codes, scales, self._quantized, name=TABLE)

    def head(self, x: str) -> str:
        """Hidden states [batch, seq, d] -> logits [batch, seq, vocab]."""
        g = self._g
        if self._quantized is not None:
            nodes = nodes_of(self._quantized.scheme)
            return nodes.product(g, x, self._codes, self._scales, self._quantized, name=HEAD)
        transposed = g.op("Transpose", self._table, perm=[1, 0])
        return g.op("MatMul", x, transposed, name=HEAD)


def positions(g: Graph, weights: Weights, layer: str) -> str:
    """The table of position vectors [positions, d] of the encoder or decoder."""
    name = f"{layer}.embed_positions"
    return g.stored(f"{name}.weight", weights.stored(name))
