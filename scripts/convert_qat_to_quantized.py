"""Convert a QAT checkpoint to ONNX, CTranslate2 or whisper.cpp with its trained codes.

Example:
    python scripts/convert_qat_to_quantized.py \
      --model_path outputs/models/whisper-qat-int8/final \
      --output_path outputs/models/whisper-qat-int8-quantized --quantization_type int8
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.convert.convert import ConvertConfig, run

if __name__ == "__main__":
    main(ConvertConfig, run)
