"""Measure what quantizing each part of a model costs and saves; propose a mixed plan.

Example:
    python scripts/analyze_sensitivity.py --model_path data/whisper-base --data data/telephone-fr \
      --output_dir outputs/sensitivity/base --propose true --size_budget 0.2
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.analyze_sensitivity import SensitivityConfig, run

if __name__ == "__main__":
    main(SensitivityConfig, run)
