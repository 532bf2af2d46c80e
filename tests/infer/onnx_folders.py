"""ONNX folders of small checkpoints, as convert writes them, without its parity check."""

from whisper_qat.export.onnx.folder import load_checkpoint, with_context, write_onnx_folder
from whisper_qat.runs.folders import hash_folder
from whisper_qat.tasks import quantize_ptq


def onnx_folder(checkpoint, output, audio_context=None, margin_s=None):
    """`checkpoint` as it is: float, or with its trained codes."""
    final = with_context(load_checkpoint(checkpoint, str(checkpoint)), audio_context, margin_s)
    inputs = {"model": hash_folder(checkpoint)}
    write_onnx_folder(final, checkpoint, output, inputs=inputs, config={})
    return output


def ptq_folder(checkpoint, output, quantization_type="int8", **changes):
    """`checkpoint` rounded to nearest."""
    quantize_ptq.run(
        quantize_ptq.QuantizePtqConfig(
            model_path=str(checkpoint),
            output_path=output,
            quantization_type=quantization_type,
            **changes,
        )
    )
    return output
