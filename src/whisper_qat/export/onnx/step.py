"""The graphs of this project's own engine, cut out of the merged decoder: step.onnx and cross.onnx.

The merged graph suits optimum and transformers.js, but at a cost: onnxruntime copies the
cross-attention keys and values (37 MB for 30 s of Whisper base) three times a step, into the branch
of `If`, out of it, and to the outputs. `cross.onnx` projects them once per clip; `step.onnx` takes
them as inputs and gives back only the self-attention cache. Both are the merged graph's own nodes
and refer to its data file, so that no weight is stored twice, and each large weight is used by only
one of them, so that none is held in memory twice.

The self-attention cache is written in place (`in_place_cache`).

A step takes rows of several clips, and several rows (beams) per clip. The rows of one clip attend
to its keys together, as queries of one attention, so beams share a clip's keys without a copy.
`cross_lengths` gives the number of valid positions of each clip; attention masks those beyond.

The names hold neither "encoder" nor "decoder": optimum looks for these anywhere in a name.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from whisper_qat.export.onnx.decoder import DECODER
from whisper_qat.export.onnx.in_place_cache import CAPACITY, PAST_LENGTH, in_place
from whisper_qat.model.onnx_files import CROSS_FILE, DECODER_FILE, STEP_FILE

CROSS_LENGTHS = "cross_lengths"  # int32 [clips]
LOGITS_FROM = "logits_from"  # int64 [1]: first new token that gets logits; -1 for the last
USE_CACHE = "use_cache_branch"
STATES = "encoder_hidden_states"


def build_step(folder: Path) -> None:
    """Writes step.onnx and cross.onnx beside the merged decoder of `folder`."""
    merged = onnx.load(str(folder / DECODER_FILE), load_external_data=False)
    for name, graph in [(STEP_FILE, step_graph), (CROSS_FILE, cross_graph)]:
        model = helper.make_model(
            graph(merged.graph),
            opset_imports=list(merged.opset_import),
            ir_version=merged.ir_version,
            producer_name=merged.producer_name,
        )
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))


def cross_graph(merged: onnx.GraphProto) -> onnx.GraphProto:
    """The `If` branches of the first step: encoder states -> present.N.encoder.key and value."""
    inputs = [by_name(merged.input)[STATES]]
    outputs = [value for name, value in by_name(merged.output).items() if ".encoder." in name]
    nodes = without_identities(inline_branch(merged, "else_branch"), set(by_name(outputs)))
    return cut_out(merged, "cross", nodes, inputs=inputs, outputs=outputs)


def step_graph(merged: onnx.GraphProto) -> onnx.GraphProto:
    """One step: new tokens, self-attention cache, cross keys and values -> logits and cache."""
    inputs = {
        name: v for name, v in by_name(merged.input).items() if name not in (USE_CACHE, STATES)
    }
    nodes = [fold_past(node, inputs) for node in inline_branch(merged, "then_branch")]
    outputs = [value for name, value in by_name(merged.output).items() if ".encoder." not in name]
    nodes = without_identities(nodes, set(by_name(outputs)))
    nodes = shared_by_rows(nodes, inputs)
    caches = {name: value for name, value in inputs.items() if ".decoder." in name}
    nodes = head_from(without_identities(in_place(nodes, caches), set()))
    for name in (name for name in inputs if ".encoder." in name):
        inputs[name].type.tensor_type.shape.dim[0].dim_param = "clips"
    for cached in [*inputs.values(), *outputs]:
        if ".decoder." in cached.name:
            cached.type.tensor_type.shape.dim[2].dim_param = CAPACITY
    inputs[PAST_LENGTH] = helper.make_tensor_value_info(PAST_LENGTH, TensorProto.INT64, [1])
    inputs[CROSS_LENGTHS] = helper.make_tensor_value_info(
        CROSS_LENGTHS, TensorProto.INT32, ["clips"]
    )
    inputs[LOGITS_FROM] = helper.make_tensor_value_info(LOGITS_FROM, TensorProto.INT64, [1])
    return cut_out(merged, "step", nodes, inputs=list(inputs.values()), outputs=outputs)


def inline_branch(graph: onnx.GraphProto, branch: str) -> list[onnx.NodeProto]:
    """The nodes of `graph` with each `If` replaced by the nodes of one of its branches."""
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "If":
            nodes.append(node)
            continue
        (body,) = (attribute.g for attribute in node.attribute if attribute.name == branch)
        pairs = zip(body.output, node.output, strict=True)
        nodes += [*body.node, *(identity(inner.name, outer) for inner, outer in pairs)]
    return nodes


def identity(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Identity", [source], [target], f"{target}/identity")


def fold_past(node: onnx.NodeProto, inputs: Iterable[str]) -> onnx.NodeProto:
    """Fold for a past that is always used: its Slice becomes an Identity, the flag's Cast a 1."""
    if node.op_type == "Slice" and node.input[0] in inputs:
        return identity(node.input[0], node.output[0])
    if node.op_type == "Cast" and node.input[0] == USE_CACHE:
        one = numpy_helper.from_array(np.ones(1, dtype=np.int64))
        return helper.make_node("Constant", [], list(node.output), node.name, value=one)
    return node


def without_identities(nodes: list[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Remove the Identity nodes: a graph output is computed directly under its public name."""
    source = {node.output[0]: node.input[0] for node in nodes if node.op_type == "Identity"}

    def origin(name: str) -> str:
        return origin(source[name]) if name in source else name

    public = {origin(name): name for name in source if name in outputs}
    kept = []
    for node in nodes:
        if node.op_type != "Identity":
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [public.get(origin(name), origin(name)) for name in node.input]
            copy.output[:] = [public.get(name, name) for name in node.output]
            kept.append(copy)
    return kept


def shared_by_rows(nodes: Iterable[onnx.NodeProto], inputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Cross-attention of [rows, n, d] over [clips, ...], a clip's rows as queries of one attention.

    The two shapes are the same in every layer, so those of the first layer serve all.
    """
    make = helper.make_node
    found: list[onnx.NodeProto] = []
    known = False
    for node in nodes:
        if node.op_type != "MultiHeadAttention" or node.input[1] not in inputs:
            found.append(node)
            continue
        (query, key, value), (output,) = node.input[:3], node.output
        if not known:
            found += [
                make("Shape", [key], ["clips"], start=0, end=1),
                make("Shape", [query], ["width"], start=2),
                make("Constant", [], ["any"], value_ints=[-1]),
                make("Concat", ["clips", "any", "width"], ["by_clip"], axis=0),
                make("Shape", [query], ["by_row"]),
            ]
            known = True
        attention = onnx.NodeProto()
        attention.CopyFrom(node)
        attention.input[:] = [f"{output}/queries", key, value, "", CROSS_LENGTHS]
        attention.output[:] = [f"{output}/rows"]
        found += [
            make("Reshape", [query, "by_clip"], [f"{output}/queries"]),
            attention,
            make("Reshape", [f"{output}/rows", "by_row"], [output]),
        ]
    return found


def head_from(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Compute norm and head only from token `logits_from` on, as the head is half of a step."""
    found = []
    for node in nodes:
        if node.name == f"{DECODER}.layer_norm":
            end = numpy_helper.from_array(np.array([2**62]))
            axis = numpy_helper.from_array(np.array([1]))
            found += [
                helper.make_node("Constant", [], ["logits_to"], value=end),
                helper.make_node("Constant", [], ["logits_axis"], value=axis),
                helper.make_node(
                    "Slice", [node.input[0], LOGITS_FROM, "logits_to", "logits_axis"], ["wanted"]
                ),
            ]
            node.input[0] = "wanted"
        found.append(node)
    assert len(found) > len(nodes), "no final norm in the merged decoder"
    return found


def cut_out(
    graph: onnx.GraphProto,
    name: str,
    nodes: list[onnx.NodeProto],
    *,
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> onnx.GraphProto:
    """The graph of the `nodes` that the outputs need, in order, with their initializers."""
    needed = {output.name for output in outputs}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    initializers = [tensor for tensor in graph.initializer if tensor.name in needed]
    return helper.make_graph(kept[::-1], name, inputs, outputs, initializers)


def by_name(values: Iterable[onnx.ValueInfoProto]) -> dict[str, onnx.ValueInfoProto]:
    return {value.name: value for value in values}
