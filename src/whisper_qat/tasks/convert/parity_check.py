"""The parity check (ONNX against torch) within conversion: its clips, report file and failure."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.source import load_splits
from whisper_qat.data.loader import Labeller
from whisper_qat.data.utterances import Material, noise, speech
from whisper_qat.errors import GateError, InputError
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.parity import gate
from whisper_qat.runs.folders import is_finished, read_manifest, write_json

logger = logging.getLogger(__name__)
REPORT_NAME = "parity.json"
LANGUAGE = "fr"


def parity_check(
    final: Final, source: Path, output: Path, *, data: str | None, positions: int, transcripts: int
) -> Callable[[Path], None]:
    """Return a function that checks a written folder and leaves `parity.json` in it.

    When a part fails it raises GateError and keeps the report beside `output`.
    """

    def check(folder: Path) -> None:
        material = _material(final, source, data, positions)
        rules = read_rules(source, language=_training_setting(source, "language") or LANGUAGE)
        report = gate.run(final, folder, material, rules, logger.info, transcripts_of=transcripts)
        write_json(folder / REPORT_NAME, report)
        if not report["passed"]:
            kept = output.with_name(f"{output.name}.{REPORT_NAME}")
            write_json(kept, report)
            raise GateError(f"{output}: parity failed ({', '.join(report['failed'])}); see {kept}")

    return check


def _material(final: Final, source: Path, data: str | None, positions: int) -> Material:
    language = _training_setting(source, "language") or LANGUAGE
    rules = read_rules(
        source, language=language, task=_training_setting(source, "task") or "transcribe"
    )
    config = final.model.config
    labeller = Labeller.from_pretrained(
        source, rules.prompt, config.eos_token_id, config.max_target_positions
    )
    features = Features.from_pretrained(source)
    context = AudioContext(**final.info.audio_context)
    clips = [clip for clip in _clips(source, data) if labeller.fits(clip.text)]
    if not clips:
        return noise(features, context, labeller)
    return speech(clips, features, context, labeller, max_positions=positions)


def _clips(source: Path, data: str | None) -> list[Clip]:
    """Clips of `data`, else of the training's own data (validation, else train), else none."""
    spec = data or _training_setting(source, "eval_data") or _training_setting(source, "train_data")
    if spec is None:
        logger.info(
            "parity: no speech known for this checkpoint (--parity_data); using seeded noise"
        )
        return []
    try:
        splits = load_splits(spec)
    except InputError as error:
        if data:
            raise
        logger.info(f"parity: {error}; using seeded noise")
        return []
    order = sorted(splits, key=lambda name: {"validation": 0, "train": 1}.get(name, 2))
    return [clip for name in order for clip in splits[name]]


def _training_setting(source: Path, key: str) -> Any:
    """A setting of the training that wrote `source`; None when no training wrote it."""
    return read_manifest(source)["config"].get(key) if is_finished(source) else None
