"""ONNX folders of tiny Whispers, made by the project's own conversion."""

from whisper_qat.tasks import convert, quantize_ptq


def float_folder(checkpoint, output, **changes):
    convert.run(
        convert.ConvertConfig(
            model_path=str(checkpoint), output_path=output, quantization_type="none", **changes
        )
    )
    return output


def ptq_folder(checkpoint, output, quantization_type="int8", **changes):
    quantize_ptq.run(
        quantize_ptq.QuantizePtqConfig(
            model_path=str(checkpoint),
            output_path=output,
            quantization_type=quantization_type,
            **changes,
        )
    )
    return output
