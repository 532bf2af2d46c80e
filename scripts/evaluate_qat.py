"""Measure a model: WER and CER with intervals, size, memory and speed, and a report.

    python scripts/evaluate_qat.py --model_path outputs/models/whisper-qat-int8-quantized \
      --corpora community-v2 mtedx --output_dir outputs/evaluations/whisper-qat-int8-quantized
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.evaluate.evaluate import EvaluateConfig, run

if __name__ == "__main__":
    main(EvaluateConfig, run)
