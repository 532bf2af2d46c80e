"""Benchmark float, int8 and int4 training: step time, memory, data waits, hours of a job.

Example:
    python scripts/benchmark_train.py --output_dir outputs/benchmarks/train
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.benchmark.training import BenchmarkTrainConfig, run

if __name__ == "__main__":
    main(BenchmarkTrainConfig, run)
