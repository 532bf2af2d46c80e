"""The merged decoder graph: one body for the first step and for later steps with a KV cache.

Input and output names are those that optimum and transformers.js feed. `use_cache_branch` False
ignores the past (it is cut to length 0) and projects the encoder's states to cross-attention keys
and values; True takes those from the past. Only that projection sits inside `If`: weights
are prepacked once per branch, so the usual merge of two whole decoders takes twice the memory.
"""

from dataclasses import dataclass
from pathlib import Path

from onnx import TensorProto

from whisper_qat.export.onnx.attention import attend, causal_mask, key_value, split_heads
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.layers import TokenTable, layer_norm, linear, mlp, positions
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.weights import Weights
from whisper_qat.model.onnx_files import DECODER_FILE, data_file

DECODER = "model.decoder"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Values that every layer of one decoder step reads."""

    encoder_states: str
    use_cache: str  # bool [1]
    past_length: str  # int64 [1], 0 when the past is ignored
    mask: str


def build_decoder(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes decoder_model_merged.onnx and its data file into `folder`."""
    with ExternalData(folder / data_file(DECODER_FILE)) as data:
        g = Graph("decoder", data)
        table = TokenTable(g, weights)
        ids = g.input("input_ids", TensorProto.INT64, ["batch_size", "decoder_sequence_length"])
        states: list[int | str] = ["batch_size", "encoder_sequence_length", shape.d_model]
        encoder_states = g.input("encoder_hidden_states", TensorProto.FLOAT, states)
        past = [past_inputs(g, index, shape) for index in range(shape.decoder_layers)]
        use_cache = g.input("use_cache_branch", TensorProto.BOOL, [1])

        first, end, past_length = step_range(g, ids, past[0]["decoder.key"], use_cache)
        mask = causal_mask(g, first, end)
        step = Step(
            encoder_states=encoder_states, use_cache=use_cache, past_length=past_length, mask=mask
        )
        x = embed(g, table.embed(ids), first, end, weights)
        present = []
        for index in range(shape.decoder_layers):
            layer = f"{DECODER}.layers.{index}"
            x, kept = decoder_layer(g, x, layer, past[index], step, shape, weights)
            present.append(kept)
        logits = table.head(layer_norm(g, x, f"{DECODER}.layer_norm", weights))
        vocabulary: list[int | str] = ["batch_size", "decoder_sequence_length", shape.vocab_size]
        g.output(logits, "logits", TensorProto.FLOAT, vocabulary)
        for index, kept in enumerate(present):
            present_outputs(g, index, kept, shape)
        g.save(folder / DECODER_FILE)


def cache_shape(kind: str, when: str, shape: WhisperShape) -> list[int | str]:
    length = (
        "encoder_sequence_length_out" if kind == "encoder" else f"{when}_decoder_sequence_length"
    )
    return ["batch_size", shape.decoder_attention_heads, length, shape.decoder_head_dim]


def past_inputs(g: Graph, index: int, shape: WhisperShape) -> dict[str, str]:
    """The four cache inputs of one layer, keyed by the last two parts of their names."""
    return {
        f"{kind}.{part}": g.input(
            f"past_key_values.{index}.{kind}.{part}",
            TensorProto.FLOAT,
            cache_shape(kind, "past", shape),
        )
        for kind in ("decoder", "encoder")
        for part in ("key", "value")
    }


def present_outputs(g: Graph, index: int, kept: dict[str, str], shape: WhisperShape) -> None:
    for part, value in kept.items():
        dims = cache_shape(part.split(".")[0], "present", shape)
        g.output(value, f"present.{index}.{part}", TensorProto.FLOAT, dims)


def step_range(g: Graph, ids: str, past_key: str, use_cache: str) -> tuple[str, str, str]:
    """First and end position of the new tokens (scalars) and the past's length [1], all int64."""
    counted = g.op("Cast", use_cache, to=TensorProto.INT64)
    past_length = g.op("Mul", g.op("Shape", past_key, start=2, end=3), counted)
    end = g.op("Add", past_length, g.op("Shape", ids, start=1, end=2))
    zero = g.constant([0])
    return g.op("Squeeze", past_length, zero), g.op("Squeeze", end, zero), past_length


def embed(g: Graph, tokens: str, first: str, end: str, weights: Weights) -> str:
    """Token embeddings plus positions; Gather fails on a position beyond the table."""
    table = positions(g, weights, DECODER)
    rows = g.op("Gather", table, g.op("Range", first, end, g.constant(1)), axis=0)
    return g.op("Add", tokens, rows, name=f"{DECODER}.embed_positions")


def decoder_layer(
    g: Graph,
    x: str,
    layer: str,
    past: dict[str, str],
    step: Step,
    shape: WhisperShape,
    weights: Weights,
) -> tuple[str, dict[str, str]]:
    """One decoder layer; returns its hidden states and its cache, past and new together."""
    heads = shape.decoder_attention_heads
    size = {"heads": heads, "head_dim": shape.decoder_head_dim}
    attention = f"{layer}.self_attn"
    normed = layer_norm(g, x, f"{attention}_layer_norm", weights)
    q = linear(g, normed, f"{attention}.q_proj", weights)
    new_k, new_v = cache_form(g, key_value(g, normed, attention, weights), **size)
    k = g.op("Concat", cut(g, past["decoder.key"], step), new_k, axis=2)
    v = g.op("Concat", cut(g, past["decoder.value"], step), new_v, axis=2)
    mixed = attend(g, q, k, v, step.mask, **size, one_query=True)
    x = g.op("Add", x, linear(g, mixed, f"{attention}.out_proj", weights))

    attention = f"{layer}.encoder_attn"
    normed = layer_norm(g, x, f"{attention}_layer_norm", weights)
    q = linear(g, normed, f"{attention}.q_proj", weights)
    cross_k, cross_v = cross_key_value(g, attention, past, step, weights, **size)
    mixed = attend(g, q, cross_k, cross_v, None, **size, one_query=True)
    x = g.op("Add", x, linear(g, mixed, f"{attention}.out_proj", weights))

    normed = layer_norm(g, x, f"{layer}.final_layer_norm", weights)
    x = g.op("Add", x, mlp(g, normed, layer, weights))
    kept = {"decoder.key": k, "decoder.value": v, "encoder.key": cross_k, "encoder.value": cross_v}
    return x, kept


def cut(g: Graph, past: str, step: Step) -> str:
    """The first `past_length` positions of a cache tensor: all of them, or none."""
    return g.op("Slice", past, g.constant([0]), step.past_length, g.constant([2]))


def cache_form(
    g: Graph, key_value: tuple[str, str], *, heads: int, head_dim: int
) -> tuple[str, str]:
    key, value = (split_heads(g, x, heads=heads, head_dim=head_dim) for x in key_value)
    return key, value


def cross_key_value(
    g: Graph,
    attention: str,
    past: dict[str, str],
    step: Step,
    weights: Weights,
    *,
    heads: int,
    head_dim: int,
) -> tuple[str, str]:
    """Cross-attention keys and values: from the past, or projected in the branch of `If`."""
    cached = g.branch(f"{attention}/cached")
    cached.output(past["encoder.key"], f"{attention}/cached/key", TensorProto.FLOAT, None)
    cached.output(past["encoder.value"], f"{attention}/cached/value", TensorProto.FLOAT, None)
    first = g.branch(f"{attention}/first")
    projected = key_value(first, step.encoder_states, attention, weights)
    k, v = cache_form(first, projected, heads=heads, head_dim=head_dim)
    first.output(k, f"{attention}/first/key", TensorProto.FLOAT, None)
    first.output(v, f"{attention}/first/value", TensorProto.FLOAT, None)
    names = [f"{attention}/key", f"{attention}/value"]
    g.op(
        "If",
        step.use_cache,
        name=f"{attention}/if",
        outputs=names,
        then_branch=cached.proto(),
        else_branch=first.proto(),
    )
    return names[0], names[1]
