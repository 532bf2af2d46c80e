"""The settings of an evaluation folder: written first, and the same for every run that goes on.

Rows measured with other settings must not mix; a rerun that differs is refused, by the key that
differs. The set of rows may change: a name stands for one folder's content for good, and what was
measured of it is taken up again.
"""

from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json, write_json
from whisper_qat.runs.locks import LOCK_NAME

SETTINGS_NAME = "settings.json"
ROWS = "rows"  # fingerprint of each row measured so far
CLIPS = "clips"  # fingerprint of each corpus reached so far; one unreachable before may come later


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write `settings` into a new folder; InputError naming the key when an old one differs."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        if any(child.name != LOCK_NAME for child in folder.iterdir()):
            raise InputError(f"--output_dir {folder}: exists and is not an evaluation folder")
        write_json(path, settings)
        return
    saved = read_json(path)
    before = {key: value for key, value in saved.items() if key not in (CLIPS, ROWS)}
    now = {key: value for key, value in settings.items() if key != ROWS}
    for key in [*now, *(key for key in before if key not in now)]:
        _check(folder, key, before.get(key), now.get(key))
    known = saved.get(ROWS, {})
    for name, fingerprint in settings.get(ROWS, {}).items():
        _check(folder, f"{ROWS}.{name}", known.get(name, fingerprint), fingerprint)
    write_json(path, saved | {ROWS: known | settings.get(ROWS, {})})


def check_clips(folder: Path, fingerprints: dict[str, str]) -> None:
    """Record the clips of each corpus; InputError when one has others than before."""
    saved = read_json(folder / SETTINGS_NAME)
    before = saved.get(CLIPS, {})
    for name, fingerprint in fingerprints.items():
        _check(folder, f"clips of {name}", before.get(name, fingerprint), fingerprint)
    write_json(folder / SETTINGS_NAME, saved | {CLIPS: before | fingerprints})


def _check(folder: Path, key: str, before: Any, now: Any) -> None:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*now, *(name for name in before if name not in now)]:
            _check(folder, f"{key}.{name}", before.get(name), now.get(name))
    elif before != now:
        raise InputError(
            f"--output_dir {folder}: exists with other settings ({key}={_short(before)}, now "
            f"{_short(now)}); give another --output_dir or remove it"
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...{text[-1]}"
