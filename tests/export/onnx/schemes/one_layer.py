"""One quantized layer, or one token table, as the nodes that its scheme writes."""

import numpy as np
from onnx import TensorProto, numpy_helper

from tests.export import cases
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.layers import TokenTable, linear
from whisper_qat.export.onnx.schemes.nodes import NodeIndex
from whisper_qat.export.weights import Weights
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE

NAME = "layer"
ROWS, WIDTH = 24, 64


def weights(name, scheme, bias):
    rng = np.random.default_rng(3)
    w = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    named = {f"{name}.weight": w}
    if bias:
        named[f"{name}.bias"] = rng.normal(size=ROWS).astype(np.float32)
    return Weights(named, {name: cases.quantize(w, scheme)})


def stored(graph):
    """Value -> the initializer of `graph` of that name, or behind a cast of that name."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    return lambda value: arrays[value if value in arrays else casts[value]]


def product(scheme, folder, bias=True):
    """The graph of a linear layer, and its nodes."""
    with ExternalData(folder / "data") as data:
        g = Graph("g", data)
        x = g.input("x", TensorProto.FLOAT, [1, "rows", WIDTH])
        y = linear(g, x, NAME, weights(NAME, scheme, bias), bias=bias)
        g.output(y, "y", TensorProto.FLOAT, None)
    return g.proto(), NodeIndex.of(g.proto().node)


def lookup(scheme, folder):
    """The graph of the token table's lookup, and its nodes."""
    with ExternalData(folder / "data") as data:
        g = Graph("g", data)
        ids = g.input("ids", TensorProto.INT64, [1, "tokens"])
        g.output(TokenTable(g, weights(TABLE, scheme, False)).embed(ids), "y", 1, None)
    return g.proto(), NodeIndex.of(g.proto().node)
