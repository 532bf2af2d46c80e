"""Evaluation corpora by name: what ``community-v2`` or ``zaion5`` means on this machine.

``configs/corpora.yaml`` maps a name to a local path (private sets, downloads), to a dataset on the
Hub, or to both: the path is used when it is there. The list is the working directory's, which in a
checkout is the shipped one, and else the one that comes with the package. Any other name is a
manifest path, a saved folder or a Hub id. A corpus that cannot be had raises `CorpusUnreachable`,
so that an evaluation can list it with the reason and go on with the others.
"""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.source import (
    Unreachable,
    dataset_clips,
    load_clips,
    load_hub,
    load_splits,
)
from whisper_qat.data.corpora.hub import HUB_CORPORA
from whisper_qat.data.corpora.registry import LAYOUTS
from whisper_qat.errors import InputError, nearest
from whisper_qat.shipped import CORPORA

DEFAULT_CONFIG = Path("configs/corpora.yaml")
DEFAULT_SPLIT = "test"


class CorpusUnreachable(InputError):
    """A named corpus is not on this machine and cannot be fetched."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"corpus {name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class CorpusEntry:
    """One name of configs/corpora.yaml.

    ``path`` is a manifest, data folder or mTEDx folder, relative to the working directory, and goes
    first when it exists; ``hub`` a dataset id, with its ``config`` (not needed for the names in
    `registry`). ``data_files`` is a pattern
    that spares downloading the other splits. ``note`` is for the reader of the file.
    """

    path: str | None = None
    hub: str | None = None
    config: str | None = None
    split: str = DEFAULT_SPLIT
    text_field: str | None = None
    data_files: str | None = None
    note: str = ""


def load_corpus(name: str, config_path: str | Path = DEFAULT_CONFIG) -> list[Clip]:
    """Clips of a named corpus, or of a path or Hub id (its test split, where it has several).

    Raises CorpusUnreachable when it cannot be had here and now, InputError when what is there is
    wrong or the name is nothing known.
    """
    config_path = corpora_file(Path(config_path))
    entries = read_entries(config_path)
    if name in entries:
        return _load_entry(name, entries[name], config_path)
    if not Path(name).exists() and "/" not in name and not Path(name).suffix:
        known = ", ".join(entries)
        raise InputError(
            f"corpus {name!r}: neither in {config_path} ({known}) nor a path or Hub id"
            f"{nearest(name, entries)}"
        )
    return load_any(name)


def corpora_file(path: Path) -> Path:
    """`path`, or the list that comes with the package where the default one is not there."""
    return CORPORA if path == DEFAULT_CONFIG and not path.exists() else path


def load_any(spec: str | os.PathLike[str], text_field: str | None = None) -> list[Clip]:
    """Clips to test on: the test split if there is one, else validation, else the only split."""
    try:
        splits = load_splits(spec, text_field=text_field)
    except Unreachable as error:
        raise CorpusUnreachable(os.fspath(spec), str(error)) from None
    if len(splits) == 1:
        return next(iter(splits.values()))
    for name in (DEFAULT_SPLIT, "validation"):
        if name in splits:
            return splits[name]
    raise InputError(f"{spec}: no test split; it has {', '.join(splits)}")


def read_entries(path: str | Path) -> dict[str, CorpusEntry]:
    """The names of a corpora file; InputError for an unknown key, with the nearest one."""
    try:
        whole = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected the list of corpora") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(whole, dict):
        raise InputError(f"{path}: expected 'name: {{path: ..., hub: ...}}'")
    return {str(name): _entry(f"{path}: {name}", values) for name, values in whole.items()}


def _entry(place: str, values: Any) -> CorpusEntry:
    known = [field.name for field in dataclasses.fields(CorpusEntry)]
    if not isinstance(values, dict):
        raise InputError(f"{place}: expected keys such as 'path' or 'hub', got {values!r}")
    for key, value in values.items():
        if key not in known:
            raise InputError(f"{place}: unknown key {key!r}{nearest(str(key), known)}")
        if not isinstance(value, str | None):
            raise InputError(f"{place}: {key} is {value!r}, expected text")
    entry = CorpusEntry(**values)
    if not entry.path and not entry.hub:
        raise InputError(f"{place}: expected a 'path', a 'hub' id, or both")
    return entry


def _load_entry(name: str, entry: CorpusEntry, config_path: str | Path) -> list[Clip]:
    if entry.path and Path(entry.path).exists():
        return _load_path(Path(entry.path), entry)
    entry = on_the_hub(name, entry)
    if not entry.hub:
        raise CorpusUnreachable(
            name, f"{entry.path} is not there; put it there or change its path in {config_path}"
        )
    try:
        table = load_hub(entry.hub, entry.config, entry.split, entry.data_files)
    except Unreachable as error:
        here = f"{entry.path} is not there, and " if entry.path else ""
        raise CorpusUnreachable(name, f"{here}{error}") from None
    clips = dataset_clips(table, f"{name} ({entry.hub})", text_field=entry.text_field)
    return next(iter(clips.values()))


def on_the_hub(name: str, entry: CorpusEntry) -> CorpusEntry:
    """`entry` with the Hub address that is known for its name, where it gives none itself."""
    if entry.hub or name not in HUB_CORPORA:
        return entry
    corpus = HUB_CORPORA[name]
    return dataclasses.replace(
        entry, hub=corpus.dataset_id, config=corpus.config, text_field=corpus.text_field,
        data_files=corpus.files(entry.split),
    )  # fmt: skip


def _load_path(path: Path, entry: CorpusEntry) -> list[Clip]:
    for layout in LAYOUTS:
        if layout.matches(path, entry.split):
            return layout.load(path, entry.split)
    return load_clips(path, split=entry.split, text_field=entry.text_field)
