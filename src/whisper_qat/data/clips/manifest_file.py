"""Reads manifest files: one row per clip, as JSON lines, CSV/TSV, or ``{"test_samples": [...]}``.

A row has ``audio`` and ``text`` (or another of TEXT_FIELDS); ``id``, ``duration`` (seconds),
``speaker``, ``lang`` and ``offset`` (seconds into a longer recording; needs ``duration``) are
optional; other fields are ignored. An audiofolder's metadata file has the same form with
``file_name``; it is read here because ``datasets`` cannot open that form without torchcodec.

Relative audio is relative to the manifest. Whether the audio exists is the business of
`data.clips.screen`: looking at 60,000 files on a network disk takes minutes.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from whisper_qat.data.clips.clip import Clip, Segment
from whisper_qat.errors import InputError, nearest
from whisper_qat.runs.folders import read_json

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv")
TEXT_FIELDS = ("text", "sentence", "transcription", "transcript", "normalized_text")
SPEAKER_FIELDS = ("speaker", "speaker_id", "client_id")
LANG_FIELDS = ("lang", "language", "locale")
SAMPLES_KEY = "test_samples"
Row = tuple[str, dict[str, Any]]  # (place for messages, fields)


def read_clips(
    path: str | Path,
    *,
    text_field: str | None = None,
    audio_field: str = "audio",
    audio_folder: str | Path | None = None,
    confined: bool = False,
) -> list[Clip]:
    """Read the clips of a manifest file, in its order, with unique ids.

    Relative audio is relative to ``audio_folder``, by default the manifest's own. ``confined``
    refuses audio outside of it (for manifests out of archives).
    InputError names file, line and field.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such manifest")
    folder = Path(audio_folder) if audio_folder else path.parent
    clips = []
    for place, row in _rows(path, audio_field):
        audio = _require(place, row, audio_field)
        if not isinstance(audio, str) or not audio.strip():
            raise InputError(
                f"{place}: {audio_field!r} is {audio!r}, expected an audio file's path"
            )
        clips.append(
            (place, _clip(place, row, text_field, audio, _resolve(folder, place, audio, confined)))
        )
    if not clips:
        raise InputError(f"{path}: no clips in it; expected rows with {audio_field!r} and 'text'")
    return _unique(clips)


def _rows(path: Path, audio_field: str) -> Iterator[Row]:
    if path.suffix == ".jsonl":
        return _json_lines(path)
    if path.suffix == ".json":
        return _test_samples(path)
    if path.suffix in (".csv", ".tsv"):
        return _table(path, audio_field)
    raise InputError(f"{path}: not a manifest; expected one of {', '.join(SUFFIXES)}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: bad JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: expected an object with 'audio' and 'text'")
        yield f"{path}:{number}", row


def _test_samples(path: Path) -> Iterator[Row]:
    whole = read_json(path)
    samples = whole.get(SAMPLES_KEY) if isinstance(whole, dict) else None
    if not isinstance(samples, list):
        raise InputError(f'{path}: expected {{"{SAMPLES_KEY}": [{{"audio": ..., "text": ...}}]}}')
    for number, row in enumerate(samples):
        if not isinstance(row, dict):
            raise InputError(f"{path}: {SAMPLES_KEY}[{number}]: expected an object")
        yield f"{path}: {SAMPLES_KEY}[{number}]", row


def _table(path: Path, audio_field: str) -> Iterator[Row]:
    text = io.StringIO(_text(path), newline="")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
    delimiter = ","
    if path.suffix == ".tsv":  # Mozilla's and NeMo's do not quote
        quoting, delimiter = csv.QUOTE_NONE, "\t"
    reader = csv.reader(text, delimiter=delimiter, quoting=quoting)
    header = [name.strip() for name in next(reader, [])]
    if audio_field not in header:
        raise InputError(
            f"{path}:1: no column {audio_field!r} in the header {header}; "
            f"expected a first line such as '{audio_field},text'"
        )
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{reader.line_num}: {len(cells)} cells, the header has {len(header)}"
            )
        yield f"{path}:{reader.line_num}", dict(zip(header, cells, strict=True))


def _clip(place: str, row: dict[str, Any], text_field: str | None, audio: str, path: str) -> Clip:
    field = text_field or next((name for name in TEXT_FIELDS if name in row), "text")
    text = _require(place, row, field)
    if not isinstance(text, str | None):
        raise InputError(f"{place}: {field!r} is {text!r}, expected text")
    duration_s = _seconds(place, row, "duration")
    return Clip(
        id=_optional(row, ("id",)) or Path(audio).with_suffix("").as_posix(),
        audio=_audio(place, row, path, duration_s),
        text=(text or "").strip(),
        duration_s=duration_s,
        speaker=_optional(row, SPEAKER_FIELDS),
        lang=_optional(row, LANG_FIELDS),
    )


def _require(place: str, row: dict[str, Any], name: str) -> Any:
    if name not in row:
        raise InputError(f"{place}: missing field {name!r}{nearest(name, row)}; it has {list(row)}")
    return row[name]


def _optional(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    value = next((row[name] for name in names if name in row), None)
    return None if value is None or str(value).strip() == "" else str(value)


def _seconds(place: str, row: dict[str, Any], name: str) -> float | None:
    text = _optional(row, (name,))
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"{place}: {name!r} is {text!r}, expected seconds")
    return value


def _resolve(folder: Path, place: str, audio: str, confined: bool) -> str:
    found = folder / audio
    if confined and not found.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{place}: {audio!r} is outside {folder}; expected a path inside it")
    return str(found)


def _audio(place: str, row: dict[str, Any], path: str, duration_s: float | None) -> str | Segment:
    offset_s = _seconds(place, row, "offset")
    if offset_s is None:
        return path
    if duration_s is None:
        raise InputError(f"{place}: 'offset' without 'duration'; expected both, in seconds")
    return Segment(path=path, offset_s=offset_s, duration_s=duration_s)


def _unique(placed: list[tuple[str, Clip]]) -> list[Clip]:
    first: dict[str, str] = {}
    for place, clip in placed:
        if clip.id in first:
            raise InputError(
                f"{place}: id {clip.id!r} is already that of {first[clip.id]}; "
                "expected a unique 'id' on each row"
            )
        first[clip.id] = place
    return [clip for _, clip in placed]
