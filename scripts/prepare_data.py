"""Prepare speech from any source as a data folder with train, validation and test splits.

python scripts/prepare_data.py --source telephone-fr --output_dir data/telephone-fr
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.prepare_data import PrepareDataConfig, run

if __name__ == "__main__":
    main(PrepareDataConfig, run)
