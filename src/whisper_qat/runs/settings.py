"""Compare the settings that a folder on disk was made with to the settings of the present run.

Every command that continues a folder, or leaves a finished one alone, compares here and fails with
the same message: which setting differs, its value on disk, the requested value, and what to do.
Each caller decides where the values are kept (a manifest, a journal's first line, a file of its
own) and passes its own wording. An evaluation or benchmark folder keeps them in
`settings.json`, by `check_settings` and `check_clips`.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import is_finished, read_json, read_manifest, write_json
from whisper_qat.runs.locks import LOCK_NAME

SETTINGS_NAME = "settings.json"
ROWS = "rows"  # fingerprint of each row measured so far
CLIPS = "clips"  # fingerprint of each corpus available so far; others may follow later
MOST_NAMED = 3  # differences in one message


def refuse_other_settings(
    where: str, before: Mapping[str, Any], now: Mapping[str, Any], *,
    advice: str, ignored: Collection[str] = (), ignore_former: bool = False,
) -> None:  # fmt: skip
    """InputError naming the settings in which `before` (on disk) differs from `now`.

    A missing key counts as None, and nested mappings are compared key by key. Keys in `ignored` may
    differ; with `ignore_former`, so may keys that only `before` has (settings of earlier versions).
    """
    if ignore_former:
        before = {key: value for key, value in before.items() if key in now}
    before, now = ({k: v for k, v in each.items() if k not in ignored} for each in (before, now))
    if found := list(differences(before, now)):
        named = "; ".join(found[:MOST_NAMED])
        more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise InputError(f"{where}: exists with other settings ({named}{more}); {advice}")


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """`KEY=BEFORE, now NOW` for each key whose values differ, nested keys joined by dots."""
    for key in [*now, *(key for key in before if key not in now)]:
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}={_abridge(old)}, now {_abridge(new)}"


def refuse_other_inputs(
    where: str, before: Mapping[str, str], now: Mapping[str, str], *,
    advice: str, names: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """InputError when a folder was made from inputs with other hashes than `now`.

    `names` maps an input to the words for a different one of its kind in the message.
    """
    if before == now:
        return
    changed = [name for name in now if before.get(name) != now[name]]
    what = (names or {}).get(changed[0], "something else") if changed else "more inputs"
    raise InputError(f"{where}: made from {what}; {advice}")


def finished_manifest(output: Path, where: str, *, kind: str, advice: str) -> dict[str, Any] | None:
    """The manifest of a finished folder of `kind`, or None for a new or empty folder.

    InputError when the folder holds anything else.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return None
    if not is_finished(output):
        raise InputError(f"{where}: exists and is not a finished folder; {advice}")
    manifest = read_manifest(output)
    if manifest["kind"] != kind:
        raise InputError(f"{where}: is a {manifest['kind']} folder; {advice}")
    return manifest


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write `settings` into a new evaluation folder; InputError when an old one's differ.

    Rows measured with different settings must not mix. The set of rows may change: a name always
    refers to the same folder content, and its earlier measurements are used again.
    """
    path = folder / SETTINGS_NAME
    if not path.is_file():
        if any(child.name != LOCK_NAME for child in folder.iterdir()):
            raise InputError(f"--output_dir {folder}: exists and is not an evaluation folder")
        write_json(path, settings)
        return
    saved = read_json(path)
    known, rows = saved.get(ROWS, {}), settings.get(ROWS, {})
    before = {key: value for key, value in saved.items() if key not in (CLIPS, ROWS)}
    again = {name: known[name] for name in rows if name in known}
    now = settings | {ROWS: {name: rows[name] for name in again}}
    _refuse_others(folder, before | {ROWS: again}, now)
    write_json(path, saved | {ROWS: known | rows})


def check_clips(folder: Path, fingerprints: dict[str, str]) -> None:
    """Record the clips of each corpus; InputError when a corpus has other clips than before."""
    saved = read_json(folder / SETTINGS_NAME)
    before = saved.get(CLIPS, {})
    known = {f"clips of {name}": before[name] for name in fingerprints if name in before}
    now = {f"clips of {name}": fingerprints[name] for name in fingerprints if name in before}
    _refuse_others(folder, known, now)
    write_json(folder / SETTINGS_NAME, saved | {CLIPS: before | fingerprints})


def _refuse_others(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    where, advice = f"--output_dir {folder}", "give another --output_dir or remove it"
    refuse_other_settings(where, before, now, advice=advice)


def _abridge(value: Any) -> str:
    """Both ends of a long value: paths and plans most often differ at the end."""
    text = repr(value)
    return text if len(text) <= 48 else f"{text[:22]}...{text[-22:]}"
