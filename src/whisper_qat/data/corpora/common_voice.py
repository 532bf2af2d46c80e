"""Mozilla Common Voice, from a release archive that the user has downloaded.

The corpus has left the Hub; a release is a tar archive with TSV lists and MP3 files. An archive is
somebody else's: nothing of it is written outside the cache folder, and only plain files and folders
are taken. Releases are not comparable with one another, so the archive's name goes on record.
"""

import csv
import dataclasses
import tarfile
from pathlib import Path, PurePosixPath

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.manifest_file import read_clips
from whisper_qat.data.clips.source import Collection
from whisper_qat.data.corpora.record import NamedSource
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import hash_file, read_json, write_json
from whisper_qat.runs.progress import Bar

SPLITS = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
DURATIONS = "clip_durations.tsv"  # of newer releases: clip, duration in milliseconds
RECORD_NAME = "archive.json"
TO_GET_IT = (
    "common-voice-fr: download the French release from Mozilla Common Voice and give it as "
    "--archive FILE.tar.gz"
)


def collect(archive: str | None, cache: Path) -> Collection:
    """Clips of the release's train, dev and test lists, unpacked into ``cache`` once."""
    if archive is None:
        raise InputError(TO_GET_IT)
    sha256 = extract(Path(archive), cache)
    folder = find_release(cache, archive)
    durations = read_durations(folder / DURATIONS)
    splits = {name: _clips(folder, file, durations) for name, file in SPLITS.items()}
    return Collection(splits=splits, inputs={Path(archive).name: sha256})


def extract(archive: Path, cache: Path) -> str:
    """Unpack ``archive`` into ``cache``; its sha256. Files already there are not rewritten."""
    if not archive.is_file():
        raise InputError(f"--archive {archive}: no such file; {TO_GET_IT}")
    record = cache / RECORD_NAME
    status = archive.stat()
    identity = {"name": archive.name, "bytes": status.st_size, "modified": status.st_mtime}
    before = read_json(record) if record.is_file() else {}
    if {name: before.get(name) for name in identity} == identity:
        return str(before["sha256"])
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in Bar(tar, unit="file", desc="extracting"):
                extract_member(tar, member, cache, archive)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's trouble (full, read-only), not the archive's
        raise InputError(
            f"{archive}: not a whole tar archive ({error}); download it again"
        ) from None
    sha256 = hash_file(archive)
    write_json(record, identity | {"sha256": sha256})
    return sha256


def extract_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path
) -> None:
    """Write one file or folder below ``folder``; InputError for a path outside it, or a link."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise InputError(
            f"{archive}: {member.name!r} leaves its folder; expected a Mozilla release"
        )
    if not member.isfile() and not member.isdir():
        raise InputError(f"{archive}: {member.name!r} is a link or device; expected plain files")
    path = folder / name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    if path.is_file() and path.stat().st_size == member.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None, member.name
    partial = path.with_name(path.name + ".partial")
    with source, open(partial, "wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
    partial.replace(path)


def find_release(cache: Path, archive: str) -> Path:
    """The folder with the lists (``cv-corpus-.../fr``) inside an unpacked archive."""
    found = sorted(path.parent for path in cache.rglob(SPLITS["train"]))
    if len(found) != 1:
        raise InputError(
            f"{archive}: {len(found)} folders with {SPLITS['train']}, expected one language's"
        )
    for file in SPLITS.values():
        if not (found[0] / file).is_file():
            raise InputError(f"{archive}: no {file} beside {SPLITS['train']}")
    return found[0]


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by audio file name; empty where the release has no such list."""
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    try:
        return {name: float(milliseconds) / 1000 for name, milliseconds in rows}
    except ValueError:
        raise InputError(f"{path}: expected two columns, clip and duration in ms") from None


def _clips(folder: Path, file: str, durations: dict[str, float]) -> list[Clip]:
    clips = read_clips(
        folder / file, audio_field="path", audio_folder=folder / "clips", confined=True
    )
    return [
        dataclasses.replace(clip, duration_s=durations.get(Path(str(clip.audio)).name), lang="fr")
        for clip in clips
    ]


COMMON_VOICE_FR = NamedSource(
    name="common-voice-fr",
    collect=lambda request: collect(request.archive, request.cache),
    takes=frozenset({"archive"}),
)
