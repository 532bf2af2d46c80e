"""Join evaluations made on different days, one for each training seed, into one report.

    python scripts/pool_evaluations.py --evaluations docs/results/study/s0 docs/results/study/s1 \
      --output_dir outputs/evaluations/study
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.pool_evaluations import PoolEvaluationsConfig, run

if __name__ == "__main__":
    main(PoolEvaluationsConfig, run)
