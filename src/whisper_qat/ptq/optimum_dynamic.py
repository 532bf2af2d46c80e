"""The optimum baseline: dynamic quantization, per-tensor int8 weights, uint8 activations per call.

The settings are those of optimum-onnx 0.1.0, `AutoQuantizationConfig.avx512_vnni(is_static=False,
per_channel=False)` (optimum/onnxruntime/configuration.py) as `ORTQuantizer.quantize` passes them on
(optimum/onnxruntime/quantization.py): every operator of `IntegerOpsRegistry` (MatMul, Conv, Gather,
Transpose, Attention, LSTM, EmbedLayerNormalization), symmetric int8 weights, asymmetric uint8
activations, no reduced range, branches of `If` included when there are any, and products of two
activations too. onnxruntime's `quantize_dynamic` uses the same `ONNXQuantizer`; it is called
directly because optimum pins an older transformers.

It is applied to this project's float graphs, not to optimum's export. That has two effects:
attention is one fused operator here, so its two inner products stay float where optimum's would be
quantized; and the tied head reads the quantized token table (uint8: what Gather reads gets the
activations' type), where optimum's export stores the head a second time.
"""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from whisper_qat.export.onnx.folder import write_graphs
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.weights import Weights
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.runs.folders import make_ordinary

NAME = "optimum-dynamic"
SCHEME = "dynamic-int8-tensor"  # the name in reports; no plan can contain it


def write_dynamic_graphs(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Write both graphs, quantized, with external data whatever their size.

    Meanwhile the float graphs are kept next to `folder`: 4 bytes per weight.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        write_graphs(shape, weights, Path(scratch))
        for name in (ENCODER_FILE, DECODER_FILE):
            quantize_graph(Path(scratch) / name, folder / name)
            for path in folder.glob(f"{name}*"):
                make_ordinary(path)  # onnx writes data files that only their owner can read


def quantize_graph(source: Path, target: Path) -> None:
    """Quantize one graph with optimum's settings."""
    nodes = onnx.load(source, load_external_data=False).graph.node
    quantize_dynamic(
        source, target, per_channel=False, reduce_range=False, weight_type=QuantType.QInt8,
        use_external_data_format=True,
        extra_options={
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
            "EnableSubgraph": any(node.op_type == "If" for node in nodes),
            "MatMulConstBOnly": False,  # off in ORTQuantizer, but on by default here
            # Shape inference does not know contrib operators, so types after them must be given.
            "DefaultTensorType": onnx.TensorProto.FLOAT,
        },
    )  # fmt: skip
