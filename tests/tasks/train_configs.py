"""A training's configuration by the flat names of its settings, as the command line gives them."""

from typing import Any

from whisper_qat.runs.setting_groups import build
from whisper_qat.tasks.train.config import TrainConfig


def train_config(**values: Any) -> TrainConfig:
    return build(TrainConfig, values)
