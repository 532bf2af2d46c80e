"""What optimum's dynamic quantization gives: per-tensor int8 weights, uint8 activations per call.

The settings are those of optimum-onnx 0.1.0, `AutoQuantizationConfig.avx512_vnni(is_static=False,
per_channel=False)` (optimum/onnxruntime/configuration.py) as `ORTQuantizer.quantize` passes them on
(optimum/onnxruntime/quantization.py): every operator of `IntegerOpsRegistry` (MatMul, Conv, Gather,
Transpose, Attention, LSTM, EmbedLayerNormalization), symmetric int8 weights, asymmetric uint8
activations, no reduced range, branches of `If` included when there are any, and products of two
activations too. onnxruntime's `quantize_dynamic` drives the same `ONNXQuantizer`; it is called here
because optimum pins an older transformers.

Applied to our float graphs, not to optimum's export, with two differences: attention is one fused
operator here, so its two inner products stay float where optimum's would be quantized; and the
tied head reads the quantized token table (uint8: what Gather reads gets the activations' type),
where optimum's export stores the head a second time.
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
SCHEME = "dynamic-int8-tensor"  # how reports call these weights; no plan can ask for them


def write_dynamic_graphs(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes both graphs, quantized, with external data whatever their size.

    The float graphs lie beside `folder` for the time of it: 4 bytes per weight.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        write_graphs(shape, weights, Path(scratch))
        for name in (ENCODER_FILE, DECODER_FILE):
            quantize_graph(Path(scratch) / name, folder / name)
            for path in folder.glob(f"{name}*"):
                make_ordinary(path)  # onnx writes data files for their owner alone


def quantize_graph(source: Path, target: Path) -> None:
    """One graph as optimum's settings quantize it."""
    nodes = onnx.load(source, load_external_data=False).graph.node
    quantize_dynamic(
        source, target, per_channel=False, reduce_range=False, weight_type=QuantType.QInt8,
        use_external_data_format=True,
        extra_options={
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
            "EnableSubgraph": any(node.op_type == "If" for node in nodes),
            "MatMulConstBOnly": False,  # ORTQuantizer leaves it off; quantize_dynamic would not
            # Shape inference knows no contrib operators, so behind them types must be given.
            "DefaultTensorType": onnx.TensorProto.FLOAT,
        },
    )  # fmt: skip
