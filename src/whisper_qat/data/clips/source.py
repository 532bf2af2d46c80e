"""Loads clips from a folder, a manifest, a saved dataset or a Hub id, all by one name.

Datasets are opened with ``Audio(decode=False)``: the bytes stay in the table until
`data.audio.reading` decodes them, so neither torchcodec nor memory for the audio is needed. A
source is a set of named splits; ``load_splits`` gives them all, ``load_clips`` one of them.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Audio, Dataset, DatasetDict, load_dataset, load_from_disk
from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip, EmbeddedAudio
from whisper_qat.data.clips.manifest_file import (
    LANG_FIELDS,
    SPEAKER_FIELDS,
    SUFFIXES,
    TEXT_FIELDS,
    read_clips,
)
from whisper_qat.data.clips.screen import Rejected
from whisper_qat.errors import InputError, nearest
from whisper_qat.runs.folders import is_finished

ONLY = "all"  # name of the one split of a source that has no splits
SPLIT_NAMES = {
    "dev": "validation",
    "valid": "validation",
    "val": "validation",
    "eval": "validation",
}
ID_FIELDS = ("id", "segment_id", "audio_id")
JOURNAL_NAME = ".journal.jsonl"  # kept by prepare_data until its folder is whole
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")
METADATA_NAMES = ("metadata.jsonl", "metadata.csv")  # of an audiofolder
CONVERTED = "refs/convert/parquet"  # the Hub's own conversion of datasets that have a script
FORMS = "a folder from prepare_data or save_to_disk, a manifest, an audiofolder or a Hub id"


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A source as prepare_data uses it: clips by split, and where they came from.

    ``splits`` has the one key ``all`` when the source made no splits of its own. ``inputs`` maps
    what was read to its hash or address; ``rejected`` are clips left out before any audio was
    read; ``read`` decodes a clip to float32 [samples] at 16 kHz.
    """

    splits: dict[str, list[Clip]]
    inputs: dict[str, str]
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read: Callable[[Clip], np.ndarray] = read_audio


class Unreachable(InputError):
    """A Hub dataset could not be fetched: offline, refused, or not there."""


def load_clips(
    spec: str | os.PathLike[str], *, split: str | None = None, text_field: str | None = None
) -> list[Clip]:
    """Load the clips of one split of ``spec``; a source's only split is used whatever its name.

    InputError when there are several and ``split`` is None or not among them.
    """
    splits = load_splits(spec, text_field=text_field)
    if len(splits) == 1:
        return next(iter(splits.values()))
    wanted = canonical(split) if split else None
    if wanted not in splits:
        missing = f"no split {split!r}" if split else "several splits"
        raise InputError(f"{spec}: {missing}; expected one of {', '.join(splits)}")
    return splits[wanted]


def load_splits(
    spec: str | os.PathLike[str], *, text_field: str | None = None
) -> dict[str, list[Clip]]:
    """Load all clips of ``spec`` by split name (train, validation, test, or ``all`` when unsplit).

    A Hub id may carry a configuration: ``google/fleurs:fr_fr``. InputError says what is wrong.
    """
    name = os.fspath(spec)
    path = Path(name)
    if path.is_file():
        return {ONLY: read_clips(path, text_field=text_field)}
    if path.is_dir():
        return _load_folder(path, text_field)
    if not HUB_ID.fullmatch(name) or path.suffix in SUFFIXES:
        raise InputError(f"{name}: no such file or folder; expected {FORMS}")
    dataset_id, _, config = name.partition(":")
    try:
        dataset = load_hub(dataset_id, config or None)
    except Unreachable as error:
        raise Unreachable(f"{name}: no such folder here, and {error}; expected {FORMS}") from None
    return dataset_clips(dataset, name, text_field=text_field)


def canonical(split: str) -> str:
    """Return a split's canonical name: dev, valid, val and eval become ``validation``."""
    return SPLIT_NAMES.get(split, split)


def _load_folder(folder: Path, text_field: str | None) -> dict[str, list[Clip]]:
    if (folder / JOURNAL_NAME).exists() and not is_finished(folder):
        raise InputError(f"{folder}: unfinished; run prepare_data.py on it again to finish it")
    manifests = _split_manifests(folder)
    if manifests:
        return {name: read_clips(path, text_field=text_field) for name, path in manifests.items()}
    if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
        return dataset_clips(load_from_disk(str(folder)), str(folder), text_field=text_field)
    if any(folder.rglob("*.parquet")):
        tables = load_dataset("parquet", data_dir=str(folder))
        return dataset_clips(tables, str(folder), text_field=text_field)
    metadata = _audiofolders(folder)
    if not metadata:
        raise InputError(f"{folder}: no clips found in it; expected {FORMS}")
    return {
        name: read_clips(path, text_field=text_field, audio_field="file_name")
        for name, path in metadata.items()
    }


def _split_manifests(folder: Path) -> dict[str, Path]:
    """Find the manifests of a folder (train.jsonl, dev.csv ...) by canonical split name."""
    names = ("train", "validation", *SPLIT_NAMES, "test")
    found: dict[str, Path] = {}
    for name in names:
        for path in (folder / f"{name}.jsonl", folder / f"{name}.csv"):
            if path.is_file():
                if canonical(name) in found:
                    raise InputError(
                        f"{folder}: {found[canonical(name)].name} and {path.name} both hold the "
                        f"{canonical(name)} split; expected one of them"
                    )
                found[canonical(name)] = path
    return found


def _audiofolders(folder: Path) -> dict[str, Path]:
    """Find an audiofolder's metadata files, its own or those of train/, dev/ ..., by split name."""
    for name in METADATA_NAMES:
        if (folder / name).is_file():
            return {ONLY: folder / name}
    names = ("train", "validation", *SPLIT_NAMES, "test")
    found = [(name, folder / name / file) for name in names for file in METADATA_NAMES]
    return {canonical(name): path for name, path in found if path.is_file()}


def load_hub(
    dataset_id: str,
    config: str | None = None,
    split: str | None = None,
    data_files: str | None = None,
) -> Any:
    """Load a dataset from the Hub or its local cache; `Unreachable`, with the reason, on failure.

    ``data_files`` is a pattern for the files of ``split``: without it every split is downloaded.
    ``datasets`` >= 4 refuses loading scripts; the Hub's parquet conversion of them is used instead.
    """
    try:
        return _load_hub(dataset_id, config, split, data_files)
    except (
        DatasetNotFoundError,
        OfflineModeIsEnabled,
        HfHubHTTPError,
        ConnectionError,
        OSError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise Unreachable(f"{dataset_id} is not to be had from the Hub ({reason})") from None
    except DatasetGenerationError as error:  # an audiofolder on the Hub: datasets wants torchcodec
        raise Unreachable(
            f"{dataset_id}: datasets cannot open it ({error.__cause__}); fetch it with "
            f"'hf download --repo-type dataset {dataset_id} --local-dir FOLDER' and give FOLDER"
        ) from None


def _load_hub(
    dataset_id: str, config: str | None, split: str | None, data_files: str | None
) -> Any:
    if data_files:
        files = {split or ONLY: data_files}
        return load_dataset(
            dataset_id, data_files=files, split=split or ONLY, verification_mode="no_checks"
        )
    try:
        return load_dataset(dataset_id, config, split=split)
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        return load_dataset(dataset_id, config, split=split, revision=CONVERTED)


def dataset_clips(
    dataset: Dataset | DatasetDict, where: str, *, text_field: str | None = None
) -> dict[str, list[Clip]]:
    """Return the clips of a loaded dataset by split; repeated ids get ``#2``, ``#3`` ..."""
    if isinstance(dataset, Dataset):
        return {ONLY: _table_clips(dataset, where, text_field)}
    return {
        canonical(name): _table_clips(table, f"{where} [{name}]", text_field)
        for name, table in dataset.items()
    }


def _table_clips(table: Dataset, where: str, text_field: str | None) -> list[Clip]:
    column = _audio_column(table, where)
    text_column = text_field or _first(table.column_names, TEXT_FIELDS)
    if text_column not in table.column_names:
        wanted = repr(text_field) if text_field else "for the text"
        hint = nearest(text_field or "text", table.column_names)
        raise InputError(f"{where}: no column {wanted}; it has {table.column_names}{hint}")
    raw = table.cast_column(column, Audio(decode=False))
    fields = {
        "text": text_column,
        "id": _first(table.column_names, ID_FIELDS),
        "speaker": _first(table.column_names, SPEAKER_FIELDS),
        "lang": _first(table.column_names, LANG_FIELDS),
        "duration": _first(table.column_names, ("duration",)),
    }
    used = {role: name for role, name in fields.items() if name}
    plain = table.select_columns(sorted(set(used.values())))
    return _unique(_row_clip(raw, i, column, used, row) for i, row in enumerate(plain))


def _audio_column(table: Dataset, where: str) -> str:
    typed = [name for name, feature in table.features.items() if isinstance(feature, Audio)]
    if not typed and "audio" not in table.column_names:
        raise InputError(f"{where}: no audio column; it has {table.column_names}")
    return typed[0] if typed else "audio"


def _first(columns: list[str], names: Iterable[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _row_clip(
    raw: Dataset, index: int, column: str, used: dict[str, str], row: dict[str, Any]
) -> Clip:
    values = {role: row[name] for role, name in used.items()}
    duration_s = values.get("duration")
    return Clip(
        id=_known(values.get("id")) or str(index),
        audio=EmbeddedAudio(dataset=raw, index=index, column=column),
        text=str(values["text"] or "").strip(),
        duration_s=duration_s if isinstance(duration_s, float) else None,
        speaker=_known(values.get("speaker")),
        lang=_known(values.get("lang")),
    )


def _known(value: object) -> str | None:
    """Return a speaker, or None where the Hub dataset has None, "" or (VoxPopuli) "None"."""
    return None if value is None or str(value) in ("", "None") else str(value)


def _unique(clips: Iterable[Clip]) -> list[Clip]:
    seen: dict[str, int] = {}
    result = []
    for clip in clips:
        seen[clip.id] = seen.get(clip.id, 0) + 1
        number = seen[clip.id]
        result.append(clip if number == 1 else _rename_clip(clip, f"{clip.id}#{number}"))
    return result


def _rename_clip(clip: Clip, name: str) -> Clip:
    return Clip(**{**vars(clip), "id": name})
