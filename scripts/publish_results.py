"""Write the numbers of a finished evaluation or benchmark to a result file of docs/results.

Example:
    python scripts/publish_results.py --folder outputs/evaluations/study --id three-seed-study \
      --title "Three seeds" --question "What does int4 cost?" --reading "Half a point." --order 1
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.publish_results import PublishResultsConfig, run

if __name__ == "__main__":
    main(PublishResultsConfig, run)
