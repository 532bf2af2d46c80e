"""The self-attention cache of step.onnx, written in place: no copy that grows with the length.

The merged decoder appends: Concat copies the whole past in every layer of every step. Here a cache
[rows, heads, capacity, head_dim] has room, and `past_length` of its positions are taken. A step
writes its own behind them (ScatterND: with one buffer bound as input and output it copies nothing
else) and to none beyond: the causal mask is as long as the cache, -inf where nothing is.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from whisper_qat.export.onnx.attention import MASKED_KEYS

PAST_LENGTH = "past_length"  # int64 [1]: positions of the cache that are taken
CAPACITY = "capacity"
INDICES = "new_positions"


def in_place(
    nodes: list[onnx.NodeProto], caches: Mapping[str, onnx.ValueInfoProto]
) -> list[onnx.NodeProto]:
    """`nodes` with every Concat of one of `caches` (inputs) as a write at `past_length`."""
    found: list[onnx.NodeProto] = []
    for node in nodes:
        if node.op_type == "Shape" and node.input[0] in caches:  # the past was as long as the cache
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
    """The scalar `capacity` of a cache input."""
    return [
        helper.make_node("Shape", [cache], [f"{CAPACITY}/of"], start=2, end=3),
        helper.make_node("Squeeze", [f"{CAPACITY}/of"], [CAPACITY]),
    ]


def indices_of(new: str) -> list[onnx.NodeProto]:
    """Where each vector of `new` [rows, heads, n, head_dim] goes: (row, head, past_length + i)."""
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
    """The new vectors that `concat` had appended, written where INDICES says."""
    (past, new), (present,) = concat.input, concat.output
    vectors, shape = f"{new}/vectors", f"{new}/vectors/shape"
    return [
        helper.make_node("Constant", [], [shape], value_ints=[-1, head_dim]),
        helper.make_node("Reshape", [new, shape], [vectors]),
        helper.make_node("ScatterND", [past, INDICES, vectors], [present]),
    ]
