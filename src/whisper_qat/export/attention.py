"""Multi-head attention as nodes, in transformers' order: the query is scaled before the product."""

import numpy as np

from whisper_qat.export.graph import Graph
from whisper_qat.export.layers import linear
from whisper_qat.export.weights import Weights


def query(g: Graph, x: str, layer: str, weights: Weights, *, heads: int, head_dim: int) -> str:
    """x [batch, seq, d] -> scaled queries [batch, heads, seq, head_dim]."""
    projected = linear(g, x, f"{layer}.q_proj", weights)
    scaled = g.op("Mul", projected, g.constant(head_dim**-0.5, np.float32))
    return split_heads(g, scaled, heads=heads, head_dim=head_dim)


def key_value(
    g: Graph, x: str, layer: str, weights: Weights, *, heads: int, head_dim: int
) -> tuple[str, str]:
    """x [batch, len, d] -> keys and values, each [batch, heads, len, head_dim]."""
    key = linear(g, x, f"{layer}.k_proj", weights, bias=False)
    value = linear(g, x, f"{layer}.v_proj", weights)
    return (
        split_heads(g, key, heads=heads, head_dim=head_dim),
        split_heads(g, value, heads=heads, head_dim=head_dim),
    )


def split_heads(g: Graph, x: str, *, heads: int, head_dim: int) -> str:
    split = g.op("Reshape", x, g.constant([0, 0, heads, head_dim]))
    return g.op("Transpose", split, perm=[0, 2, 1, 3])


def attend(g: Graph, q: str, k: str, v: str, *, width: int, mask: str | None = None) -> str:
    """Attention of q over k and v; the additive `mask` broadcasts to [.., queries, keys]."""
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
    if mask is not None:
        scores = g.op("Add", scores, mask)
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    joined = g.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return g.op("Reshape", joined, g.constant([0, 0, width]))


def causal_mask(g: Graph, first: str, end: str) -> str:
    """Additive mask [queries, keys] for queries at positions first..end-1 over keys 0..end-1.

    `first` and `end` are int64 scalars.
    """
    one = g.constant(1)
    keys = g.op("Range", g.constant(0), end, one)
    queries = g.op("Unsqueeze", g.op("Range", first, end, one), g.constant([1]))
    allowed = g.op("LessOrEqual", keys, queries)
    return g.op("Where", allowed, g.constant(0.0, np.float32), g.constant(-np.inf, np.float32))
