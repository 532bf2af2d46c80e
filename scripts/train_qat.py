"""Train a Whisper checkpoint with fake quantization, or in float as the control.

python scripts/train_qat.py --config configs/qat_int8.yaml --train_data data/my-speech
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.tasks.train.train_qat import run

if __name__ == "__main__":
    main(TrainConfig, run)
