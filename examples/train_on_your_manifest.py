"""Train, convert and evaluate on speech of your own, from Python, beside a float control.

Example:
    .venv/bin/python examples/train_on_your_manifest.py \
        my_clips.jsonl data/whisper-base outputs/mine

A manifest is a file with one clip a line: {"audio": "clips/0001.wav", "text": "bonjour"}. Audio
paths are relative to the manifest; WAV, FLAC, OGG and MP3 are read. Every line below is one of the
command-line scripts as a function call: the names of the settings are the names of the flags.
"""

import sys
from pathlib import Path
from typing import Any

from whisper_qat.runs.setting_groups import build
from whisper_qat.tasks.convert.convert import ConvertConfig
from whisper_qat.tasks.convert.convert import run as convert
from whisper_qat.tasks.evaluate.evaluate import EvaluateConfig
from whisper_qat.tasks.evaluate.evaluate import run as evaluate
from whisper_qat.tasks.prepare_data import PrepareDataConfig
from whisper_qat.tasks.prepare_data import run as prepare_data
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.tasks.train.train_qat import run as train


def train_on_manifest(manifest: Path, base_model: Path, output: Path, **changes: Any) -> Path:
    """Leave models and a report under `output`; returns the report's folder.

    `changes` are further settings of both trainings.
    """
    # Clips become 16 kHz FLAC files in train, validation and test splits that share no text and no
    # known speaker. What cannot be used is listed with the reason. A second run does nothing.
    data = output / "data"
    prepare_data(PrepareDataConfig(source=str(manifest), output_dir=str(data)))

    # The QAT model and its float control: the same clips, steps and seed, without rounding in the
    # control. Their difference is what int8 costs; what both gain comes from the data.
    folders = {}
    for name, quantization_type in (("int8", "int8"), ("control", "none")):
        settings: dict[str, Any] = {
            "base_model": str(base_model),
            "train_data": str(data),
            "output_dir": str(output / name),
            "quantization_type": quantization_type,
            "num_epochs": 3,
            "learning_rate": 1e-5,
            # The encoder sees a clip's own length and 3 s of silence, not 30 s: cheaper for short
            # clips. The converted model will transcribe in the same way.
            "audio_context": "dynamic",
            "margin_s": 3.0,
        }
        train(build(TrainConfig, settings | changes))
        # Conversion writes the trained integers to ONNX and compares the result with the torch
        # model; a folder that fails this parity check is not kept.
        folders[name] = output / f"{name}-onnx"
        convert(
            ConvertConfig(
                model_path=str(output / name / "final"),
                output_path=folders[name],
                quantization_type=quantization_type,  # type: ignore[arg-type]
            )
        )

    # One report on the test split: WER with intervals, size, speed. The row called `control` is
    # the one that the report subtracts.
    report = output / "report"
    evaluate(
        EvaluateConfig(
            model_path=str(folders["int8"]),
            baseline_model=str(base_model),
            test_data=str(data),
            compare=[f"control={folders['control']}"],
            output_dir=report,
        )
    )
    return report


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: train_on_your_manifest.py MANIFEST BASE_MODEL OUTPUT_FOLDER")
    folder = train_on_manifest(*(Path(word) for word in sys.argv[1:]))
    print(f"report: {folder / 'report.html'}")
