"""Run by `accelerate launch` in test_loop: a tiny training with accumulation 2 per process."""

import sys
from pathlib import Path

from tests.train.tiny_run import train

if __name__ == "__main__":
    train(Path(sys.argv[1]), sys.argv[2], gradient_accumulation_steps=2)
