"""The YAML file of ``--config``: flat names, or groups of them, checked key by key.

jsonargparse's own ``ActionConfigFile`` is not used. With it the last of file and flag wins,
whereas here a flag wins wherever it stands; it accepts either groups or flat names, not both; and
its messages about a wrong file name neither the file nor the nearest key.
"""

from pathlib import Path
from typing import Any

import jsonargparse
import yaml

from whisper_qat.cli.hints import is_list, without_none
from whisper_qat.cli.refusals import wrong_type
from whisper_qat.errors import InputError, nearest
from whisper_qat.runs.setting_groups import Setting
from whisper_qat.shipped import find_config


def read_config(
    text: str, parser: jsonargparse.ArgumentParser, settings: list[Setting]
) -> dict[str, Any]:
    """Read the YAML file, or shipped configuration, `text`; returns checked values by flat name.

    InputError names the file and the key or line.
    """
    path = str(find_config(text))
    hints = {setting.name: setting.hint for setting in settings}
    checked = {}
    for name, (place, value) in _ungrouped(path, _load_yaml(path), settings).items():
        if not _fits_outside(value, hints[name]):
            raise InputError(wrong_type(place, value, hints[name]))
        try:
            checked[name] = parser.parse_object({name: value}, defaults=False)[name]
        except jsonargparse.ArgumentError:
            raise InputError(wrong_type(place, value, hints[name])) from None
    return checked


def _load_yaml(path: str) -> dict[Any, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--config {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: cannot be read ({error})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{path}: line {line}: not YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict | None):
        raise InputError(f"{path}: expected lines 'name: value', got {type(values).__name__}")
    return values or {}


def _ungrouped(
    path: str, values: dict[Any, Any], settings: list[Setting]
) -> dict[str, tuple[str, Any]]:
    """Flat name -> (place in the file, value); InputError for unknown or repeated settings."""
    group_of = {setting.name: setting.group for setting in settings}
    groups = {group for group in group_of.values() if group is not None}
    found: dict[str, tuple[str, Any]] = {}

    def take(place: str, name: Any, value: Any) -> None:
        if name in found:
            raise InputError(f"{path}: {name} is given twice, as {found[name][0]} and {place}")
        found[name] = (place, value)

    for key, value in values.items():
        if key in groups:
            for name, inner in _members(path, key, value, group_of).items():
                take(f"{path}: {key}: {name}", name, inner)
        elif key in group_of:
            take(f"{path}: {key}", key, value)
        else:
            raise InputError(
                f"{path}: unknown key {key!r}{nearest(str(key), [*group_of, *sorted(groups)])}"
            )
    return found


def _members(path: str, group: str, value: Any, group_of: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{path}: {group}: expected lines 'name: value', got {value!r}")
    own = [name for name in group_of if group_of[name] == group]
    for name in value:
        if name not in own:
            other = group_of.get(name)
            hint = f"; it belongs to {other}" if other else nearest(str(name), own)
            raise InputError(f"{path}: {group}: unknown key {name!r}{hint}")
    return value


def _fits_outside(value: object, hint: Any) -> bool:
    """The two checks jsonargparse leaves out: null for a plain type, a scalar for a list."""
    if value is None:
        return without_none(hint)[1]
    return isinstance(value, list) == is_list(hint)
