"""Measure how our engine's time and memory grow with clips, threads and models; fit growth laws.

Example:
    python scripts/benchmark_growth.py --model_path data/whisper-base \
      --output_dir outputs/evaluations/benchmark-growth --max_s 7200 --max_clips 1000
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.benchmark.growth import GrowthConfig, run

if __name__ == "__main__":
    main(GrowthConfig, run)
