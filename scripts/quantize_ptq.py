"""Quantize a float checkpoint without training: the baseline that QAT is compared with.

Example:
    python scripts/quantize_ptq.py --model_path outputs/models/whisper-float/final \
      --output_path outputs/models/whisper-float-ptq-int8 --quantization_type int8
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.quantize_ptq import QuantizePtqConfig, run

if __name__ == "__main__":
    main(QuantizePtqConfig, run)
