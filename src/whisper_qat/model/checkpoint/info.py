"""whisper_qat.json: how a checkpoint was trained and quantized, copied to all folders derived."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json

INFO_NAME = "whisper_qat.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Info:
    """How a checkpoint was trained and quantized; `method` is float, ptq or qat.

    `ptq_method` names the quantization method of a ptq model; None for other models, and for ptq
    folders written when round to nearest was the only method. `training_seed` is the seed of the
    training run that produced the weights, None without one. `audio_context` is the encoder input
    (mode, margin_s). `trained_context` is the one used in training, which does not change when the
    model is converted for another: mode, margin_s and max_margin_s (margins were drawn between the
    two), and the teacher's context. None without training, and in folders written before it was
    recorded.
    """

    quantization_type: str
    method: str
    fine_tuned: bool
    audio_context: dict[str, Any]
    base_model: dict[str, str]
    training_seed: int | None = None
    ptq_method: str | None = None
    trained_context: dict[str, Any] | None = None
    format_version: int = FORMAT_VERSION


def read_info(folder: Path) -> Info:
    """Read whisper_qat.json of `folder`; InputError unless this project wrote the folder."""
    if not (folder / INFO_NAME).is_file():
        raise InputError(f"{folder}: no {INFO_NAME}; expected the final/ folder of a training run")
    content = read_json(folder / INFO_NAME)
    try:
        info = Info(**content)
    except TypeError:
        info = None
    if info is None or info.format_version != FORMAT_VERSION:
        raise InputError(f"{folder / INFO_NAME}: not of format {FORMAT_VERSION}")
    return info
