"""Attention as nodes against torch's own."""

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch.nn import functional

from tests.export import cases
from whisper_qat.export.onnx.attention import attend, causal_mask
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph


@pytest.mark.parametrize("one_query", [False, True])
@pytest.mark.parametrize("first", [0, 3])
def test_causal_attention_equals_torch(tmp_path, first, one_query):
    rng = np.random.default_rng(4)
    queries, keys = 4, 4 + first
    q = rng.normal(size=(2, 3, queries, 8)).astype(np.float32)
    k, v = rng.normal(size=(2, 2, 3, keys, 8)).astype(np.float32)
    with ExternalData(tmp_path / "m.onnx_data") as data:
        g = Graph("m", data)
        q_name = g.input("q", TensorProto.FLOAT, ["b", "q_len", 24])
        kv = [g.input(n, TensorProto.FLOAT, ["b", 3, "k_len", 8]) for n in "kv"]
        span = [g.input(n, TensorProto.INT64, []) for n in ("first", "end")]
        mask = causal_mask(g, *span)
        mixed = attend(g, q_name, *kv, mask, heads=3, head_dim=8, one_query=one_query)
        g.output(mixed, "y", TensorProto.FLOAT, ["b", "q_len", 24])
        g.save(tmp_path / "m.onnx")
    joined = q.transpose(0, 2, 1, 3).reshape(2, queries, 24)
    feeds = {"q": joined, "k": k, "v": v, "first": np.array(first), "end": np.array(keys)}
    actual = cases.session(tmp_path / "m.onnx").run(["y"], feeds)[0]
    mask = torch.ones(queries, keys).tril(diagonal=first).bool()
    expected = functional.scaled_dot_product_attention(
        *map(torch.from_numpy, (q, k, v)), attn_mask=mask
    )
    expected = expected.transpose(1, 2).reshape(2, queries, 24).numpy()
    assert cases.difference(actual, expected) < 1e-5
