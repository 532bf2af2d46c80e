"""whisper_qat.json: what was done to a checkpoint, carried by every folder made from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json

INFO_NAME = "whisper_qat.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Info:
    """What was done to a checkpoint: `method` is float, ptq or qat.

    `ptq_method` is the way a ptq model was quantized; None for others, and for ptq folders
    written before there was more than one (round to nearest).
    `training_seed` is that of the training that the weights come from, None without one.
    `audio_context` is the encoder input (mode, margin_s); `trained_context` is the one used in
    training, which a conversion for another one does not change: mode, margin_s and max_margin_s
    (margins were drawn between them), and the teacher's. None without training, and in folders
    written before it was kept.
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
    """whisper_qat.json of `folder`; InputError when the folder was not made by this project."""
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
