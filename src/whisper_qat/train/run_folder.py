"""The folder of a training run: whether it holds this run or another, unfinished or finished."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.data.clips.selection import Selection
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import is_finished, read_json, read_manifest, write_json
from whisper_qat.runs.settings import SETTINGS_NAME, refuse_other_settings

LEFT_OUT_NAME = "left_out.jsonl"
# These may differ between the runs of one training: they do not change its numbers.
FREE_KEYS = {"output_dir", "dry_run", "resume"}


def has_begun(folder: Path) -> bool:
    """True when a run recorded its settings here, finished or not."""
    return (folder / SETTINGS_NAME).is_file()


def is_done(folder: Path, config: dict[str, Any], *, resume: bool) -> bool:
    """True when `folder` holds this run, finished; InputError when it holds another run.

    With `resume` off an unfinished run is an InputError too.
    """
    finished = is_finished(folder / "final")
    if has_begun(folder):
        _refuse_another_run(folder, read_json(folder / SETTINGS_NAME)["config"], config)
    elif finished:
        _refuse_another_run(folder, read_manifest(folder / "final")["config"], config)
    if not finished and has_begun(folder) and not resume:
        raise InputError(
            f"{folder}: holds an unfinished run; pass --resume true or another --output_dir"
        )
    return finished


def record_settings(folder: Path, config: dict[str, Any], selection: Selection) -> None:
    """Write settings and left-out clips; InputError when the clips differ from the run's first."""
    if has_begun(folder):
        before = read_json(folder / SETTINGS_NAME)["clips"]
        if before != selection.fingerprint:
            raise InputError(
                f"{folder}: the training data changed since this run began; restore it or give "
                "another --output_dir"
            )
    lines = [json.dumps(asdict(clip), ensure_ascii=False) for clip in selection.rejected]
    (folder / LEFT_OUT_NAME).write_text("".join(line + "\n" for line in lines))
    write_json(folder / SETTINGS_NAME, {"config": config, "clips": selection.fingerprint})


def _refuse_another_run(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    advice = "give another --output_dir or remove that folder"
    refuse_other_settings(str(folder), before, now, advice=advice, ignored=FREE_KEYS)
