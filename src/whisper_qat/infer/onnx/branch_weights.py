"""Move int8 weights into the `If` branch that uses them, for the option against saturation.

That session option (`infer.kernels.saturation`) turns a product's int8 weights into uint8 only when
they are stored in the same graph as the product. The weights of the merged decoder's
cross-attention keys and values are stored in the outermost graph, so the option misses them.
"""

from collections.abc import Iterator
from pathlib import Path

import onnx

from whisper_qat.infer.kernels.saturation import PRODUCTS


def with_branch_weights(model: Path | bytes) -> bytes | None:
    """Move the int8 weights that each branch multiplies into it; None when there are none.

    Zero points are moved, too. External data stays in its file, so a session on the returned bytes
    needs the folder's path.
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
    """Make the products of `branch` read copies of `weights` stored in it under new names."""
    inner = {name: f"{name}/branch" for name in weights}
    for name, tensor in weights.items():
        copy = branch.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = inner[name]
    for node in branch.node:
        if node.op_type in PRODUCTS:
            node.input[:] = [inner.get(name, name) for name in node.input]


def branches(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """All branches of the `If` nodes in `graph`."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield attribute.g


def multiplied(branch: onnx.GraphProto) -> list[str]:
    """Names of the inputs of the products in `branch`, each once."""
    products = [node for node in branch.node if node.op_type in PRODUCTS]
    return list(dict.fromkeys(name for node in products for name in node.input))
