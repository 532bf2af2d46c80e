"""Benchmark our models and other runtimes on equal weights: speed, memory, size and WER.

Example:
    python scripts/benchmark.py --model_path data/whisper-base \
      --output_dir outputs/evaluations/benchmark
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.benchmark.benchmark import BenchmarkConfig, run

if __name__ == "__main__":
    main(BenchmarkConfig, run)
