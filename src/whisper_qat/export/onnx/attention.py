"""Multi-head attention as ONNX nodes, built around onnxruntime's fused MultiHeadAttention.

MultiHeadAttention never holds a whole [queries, keys] matrix, unlike MatMul + Softmax + MatMul: on
Whisper base and 30 s the encoder's peak memory was 165 MB instead of 433 MB, its time 5-40 % less
(shared machine), its output equal to 1e-6.

The decoder scales the query, as transformers does; the encoder lets the operator scale the scores.
Scaling inside the operator costs nothing for many queries. With a single query, however, it keeps
MLAS from using its single-row product, which reads the keys in place instead of packing them:
attention of one step to 1,500 keys then takes 2.2 times as long. (For heads of 64, as all of
Whisper's are, the factor is a power of two, so both ways give the same result.)
"""

import numpy as np

from whisper_qat.export.onnx.graph import MICROSOFT, Graph
from whisper_qat.export.onnx.layers import linear
from whisper_qat.export.weights import Weights

MASKED_KEYS = "causal_mask/keys"  # name of the node that counts the keys


def attend(
    g: Graph,
    q: str,
    k: str,
    v: str,
    mask: str | None = None,
    *,
    heads: int,
    head_dim: int,
    one_query: bool = False,
) -> str:
    """Attention of q [batch, queries, d] over k and v -> [batch, queries, d].

    k and v are [batch, keys, d] or, from a cache, [batch, heads, keys, head_dim]; the additive
    `mask` is [1, 1, queries, keys]. `one_query`: most calls have a single query.
    """
    scale = head_dim**-0.5
    if one_query:
        q, scale = g.op("Mul", q, g.constant(scale, np.float32)), 1.0
    inputs = [q, k, v] + (["", "", mask] if mask is not None else [])
    return g.op("MultiHeadAttention", *inputs, domain=MICROSOFT, num_heads=heads, scale=scale)


def key_value(g: Graph, x: str, layer: str, weights: Weights) -> tuple[str, str]:
    """Project x [batch, keys, d] to keys and values of that shape; Whisper's keys have no bias."""
    key = linear(g, x, f"{layer}.k_proj", weights, bias=False)
    return key, linear(g, x, f"{layer}.v_proj", weights)


def split_heads(g: Graph, x: str, *, heads: int, head_dim: int) -> str:
    """Reshape [batch, keys, d] to [batch, heads, keys, head_dim], the layout of a cache."""
    split = g.op("Reshape", x, g.constant([0, 0, heads, head_dim]))
    return g.op("Transpose", split, perm=[0, 2, 1, 3])


def causal_mask(g: Graph, first: str, end: str) -> str:
    """Additive mask [1, 1, queries, keys] for queries at first..end-1 over keys 0..end-1.

    `first` and `end` are int64 scalars.
    """
    one = g.constant(1)
    keys = g.op("Range", g.constant(0), end, one, name=MASKED_KEYS)
    queries = g.op("Unsqueeze", g.op("Range", first, end, one), g.constant([0, 1, 3]))
    allowed = g.op("LessOrEqual", keys, queries)
    return g.op("Where", allowed, g.constant(0.0, np.float32), g.constant(-np.inf, np.float32))
