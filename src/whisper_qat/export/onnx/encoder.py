"""The encoder's graph, from input_features to last_hidden_state.

Shapes: [batch, mels, frames] -> [batch, frames/2, d]. Any even number of frames up to twice the
position table is accepted: the positions are cut to fit.
"""

from pathlib import Path

from onnx import TensorProto

from whisper_qat.export.onnx.attention import attend, key_value
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.layers import layer_norm, linear, mlp, positions
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.weights import Weights
from whisper_qat.model.onnx_files import ENCODER_FILE, data_file

ENCODER = "model.encoder"


def build_encoder(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes encoder_model.onnx and its data file into `folder`."""
    with ExternalData(folder / data_file(ENCODER_FILE)) as data:
        g = Graph("encoder", data)
        mel: list[int | str] = ["batch_size", shape.num_mel_bins, "feature_length"]
        x = embed(g, g.input("input_features", TensorProto.FLOAT, mel), weights)
        for index in range(shape.encoder_layers):
            x = encoder_layer(g, x, f"{ENCODER}.layers.{index}", shape, weights)
        x = layer_norm(g, x, f"{ENCODER}.layer_norm", weights)
        hidden: list[int | str] = ["batch_size", "encoder_sequence_length", shape.d_model]
        g.output(x, "last_hidden_state", TensorProto.FLOAT, hidden)
        g.save(folder / ENCODER_FILE)


def embed(g: Graph, mel: str, weights: Weights) -> str:
    """Two convolutions (the second halves the number of frames), plus the positions."""
    x = convolution(g, mel, f"{ENCODER}.conv1", weights, stride=1)
    x = convolution(g, x, f"{ENCODER}.conv2", weights, stride=2)
    x = g.op("Transpose", x, perm=[0, 2, 1])
    table = positions(g, weights, ENCODER)
    length = g.op("Shape", x, start=1, end=2)
    fitting = g.op("Slice", table, g.constant([0]), length, g.constant([0]))
    return g.op("Add", x, fitting, name=f"{ENCODER}.embed_positions")


def convolution(g: Graph, x: str, layer: str, weights: Weights, *, stride: int) -> str:
    kernel = weights.stored(layer)
    y = g.op(
        "Conv",
        x,
        g.stored(f"{layer}.weight", kernel),
        g.initializer(f"{layer}.bias", weights.tensor(f"{layer}.bias")),
        name=layer,
        kernel_shape=[kernel.shape[2]],
        pads=[1, 1],
        strides=[stride],
    )
    return g.op("Gelu", y, name=f"{layer}/gelu")


def encoder_layer(g: Graph, x: str, layer: str, shape: WhisperShape, weights: Weights) -> str:
    heads = shape.encoder_attention_heads
    attention = f"{layer}.self_attn"
    normed = layer_norm(g, x, f"{layer}.self_attn_layer_norm", weights)
    q = linear(g, normed, f"{attention}.q_proj", weights)
    k, v = key_value(g, normed, attention, weights)
    mixed = attend(g, q, k, v, heads=heads, head_dim=shape.d_model // heads)
    x = g.op("Add", x, linear(g, mixed, f"{attention}.out_proj", weights))
    normed = layer_norm(g, x, f"{layer}.final_layer_norm", weights)
    return g.op("Add", x, mlp(g, normed, layer, weights))
