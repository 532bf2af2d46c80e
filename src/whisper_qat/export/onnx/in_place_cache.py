"""In-place self-attention cache for step.onnx, so that no step copies the past.

The merged decoder appends: Concat copies the whole past in every layer of every step. Here the
cache [rows, heads, capacity, head_dim] is allocated ahead, and `past_length` of its positions are
in use. A step writes its new positions behind them (ScatterND copies nothing else when the same
buffer is bound as input and output). The causal mask is as long as the cache, -inf where a position
is unused.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from whisper_qat.export.onnx.attention import MASKED_KEYS

PAST_LENGTH = "past_length"  # int64 [1]: number of cache positions in use
CAPACITY = "capacity"
INDICES = "new_positions"


def in_place(
    nodes: list[onnx.NodeProto], caches: Mapping[str, onnx.ValueInfoProto]
) -> list[onnx.NodeProto]:
    """Replace every Concat on one of `caches` (inputs) in `nodes` by a write at `past_length`."""
    found: list[onnx.NodeProto] = []
    for node in nodes:
        if node.op_type == "Shape" and node.input[0] in caches:  # length of the past
            found.append(helper.make_node("Identity", [PAST_LENGTH], list(node.output)))
            found += capacity_of(node.input[0])
        elif node.op_type == "Concat" and node.input[0] in caches:
            if not any(INDICES in made.output for made in found):
                found += indices_of(node.input[1])
            head_dim = caches[node.input[0]].type.tensor_type.shape.dim[3].dim_value
            found += write(node, head_dim)
        else:
            if node.name == MASKED_KEYS:
                node.input[1] = CAPACITY
            found.append(node)
    return found


def capacity_of(cache: str) -> list[onnx.NodeProto]:
    """Nodes that compute the scalar `capacity` of a cache input."""
    return [
        helper.make_node("Shape", [cache], [f"{CAPACITY}/of"], start=2, end=3),
        helper.make_node("Squeeze", [f"{CAPACITY}/of"], [CAPACITY]),
    ]


def indices_of(new: str) -> list[onnx.NodeProto]:
    """Nodes for the target (row, head, past_length + i) of each vector in `new`.

    `new` is [rows, heads, n, head_dim].
    """
    make, here = helper.make_node, f"{INDICES}/here"
    one = numpy_helper.from_array(np.ones(1, dtype=np.int64))
    return [
        make("Shape", [new], [f"{INDICES}/shape"], start=0, end=3),
        make("ConstantOfShape", [f"{INDICES}/shape"], [f"{INDICES}/ones"], value=one),
        make("NonZero", [f"{INDICES}/ones"], [f"{INDICES}/by_axis"]),
        make("Transpose", [f"{INDICES}/by_axis"], [f"{INDICES}/from_0"], perm=[1, 0]),
        make("Constant", [], [f"{INDICES}/rows"], value_ints=[0, 0]),
        make("Concat", [f"{INDICES}/rows", PAST_LENGTH], [here], axis=0),
        make("Add", [f"{INDICES}/from_0", here], [INDICES]),
    ]


def write(concat: onnx.NodeProto, head_dim: int) -> list[onnx.NodeProto]:
    """Nodes that write the vectors which `concat` appended, at the positions in INDICES."""
    (past, new), (present,) = concat.input, concat.output
    vectors, shape = f"{new}/vectors", f"{new}/vectors/shape"
    return [
        helper.make_node("Constant", [], [shape], value_ints=[-1, head_dim]),
        helper.make_node("Reshape", [new, shape], [vectors]),
        helper.make_node("ScatterND", [past, INDICES, vectors], [present]),
    ]
