"""int8 weights that a branch of `If` multiplies, moved into it: there the cure finds them.

The session option against saturation (`infer.kernels.saturation`) turns a product's int8 weights
into uint8 where the graph of the product holds them. Those of the merged decoder's cross-attention
keys and values lie in the outermost graph, where what two branches use is stored once: it passes
them by.
"""

from collections.abc import Iterator
from pathlib import Path

import onnx

PRODUCTS = ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger")


def with_branch_weights(model: Path | bytes) -> bytes | None:
    """`model`, each branch with the int8 weights that it multiplies; None when none multiplies any.

    Zero points go with them. The data of a file's tensors stays outside: a session on the bytes
    must be told the folder.
    """
    if isinstance(model, bytes):
        proto = onnx.load_model_from_string(model)
    else:
        proto = onnx.load(str(model), load_external_data=False)
    graph = proto.graph
    int8 = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.INT8}
    moved = {name for branch in branches(graph) for name in multiplied(branch)} & set(int8)
    if not moved:
        return None
    for branch in branches(graph):
        take(branch, {name: int8[name] for name in multiplied(branch) if name in moved})
    read = {name for part in (graph, *branches(graph)) for node in part.node for name in node.input}
    kept = [t for t in graph.initializer if t.name in read or t.name not in moved]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return proto.SerializeToString()


def take(branch: onnx.GraphProto, weights: dict[str, onnx.TensorProto]) -> None:
    """The products of `branch` read copies of `weights` that it holds, under names of their own."""
    inner = {name: f"{name}/branch" for name in weights}
    for name, tensor in weights.items():
        copy = branch.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = inner[name]
    for node in branch.node:
        if node.op_type in PRODUCTS:
            node.input[:] = [inner.get(name, name) for name in node.input]


def branches(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The branches of each `If` of `graph`."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield attribute.g


def multiplied(branch: onnx.GraphProto) -> list[str]:
    """What the products of `branch` read, each name once."""
    products = [node for node in branch.node if node.op_type in PRODUCTS]
    return list(dict.fromkeys(name for node in products for name in node.input))
