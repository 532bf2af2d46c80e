"""Output folders that are complete or unmarked: atomic JSON, hashes, ``manifest.json`` last.

The manifest proves that a folder is complete, and ``make`` depends on it. It is written after
everything else, by rename, so a kill at any moment leaves either no manifest or a correct one.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.environment import cpu, git_revision, gpu, package_versions
from whisper_qat.runs.locks import LOCK_NAME, folder_lock

MANIFEST_NAME = "manifest.json"
NOT_CONTENT = {MANIFEST_NAME, LOCK_NAME}


def write_json(path: str | Path, obj: object) -> None:
    """Replace ``path`` with ``obj`` as JSON; readers see the old file or the new, never part of it.

    numpy scalars, paths and dataclasses are accepted; NaN and infinity are a ValueError.
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    write_text(path, text + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Replace the file ``path`` with ``text`` in UTF-8, as `write_json` does."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        make_ordinary(name)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_ordinary(path: str | Path) -> None:
    """Give a file the permissions that open() would: mkstemp and safetensors make it private."""
    os.chmod(path, 0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _plain(value: Any) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not go into JSON: {value!r}")


def read_json(path: str | Path) -> Any:
    """Content of a JSON file; InputError names the file and, for bad JSON, its line."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno}: not JSON ({error.msg})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not JSON (not UTF-8 text)") from None


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_folder(folder: str | Path) -> str:
    """SHA-256 over sorted relative names and contents, without the manifest and the lock."""
    digest = hashlib.sha256()
    folder = Path(folder)
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in NOT_CONTENT):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()


def write_manifest(
    folder: str | Path,
    *,
    kind: str,
    inputs: dict[str, str],
    config: dict[str, Any],
    extra: dict[str, Any] | None = None,
) -> None:
    """Mark ``folder`` as finished: write its manifest.json, atomically and last.

    ``inputs`` maps each input's name to its hash or address, ``config`` is the resolved
    configuration, ``extra`` adds top-level keys for this kind of folder.
    """
    record = {
        "kind": kind,
        "inputs": inputs,
        "config": config,
        "versions": package_versions(),
        "cpu": cpu(),
        "gpu": gpu(),
        "git_revision": git_revision(),
        "command": sys.argv,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    extra = extra or {}
    assert not extra.keys() & record.keys(), f"extra may not replace {extra.keys() & record.keys()}"
    write_json(Path(folder) / MANIFEST_NAME, record | extra)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a finished folder; InputError when it has none."""
    if not is_finished(folder):
        raise InputError(f"{folder}: unfinished or not one of ours (no {MANIFEST_NAME})")
    manifest = read_json(Path(folder) / MANIFEST_NAME)
    if not isinstance(manifest, dict):
        raise InputError(f"{folder}/{MANIFEST_NAME}: expected an object with 'kind' and 'inputs'")
    return manifest


def is_finished(folder: str | Path) -> bool:
    """True when the folder carries its manifest."""
    return (Path(folder) / MANIFEST_NAME).is_file()


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling ``.NAME.partial`` that becomes ``path`` when the block succeeds.

    On an error it is removed and an existing ``path`` stays as it was. Leftovers of a
    killed run are removed. A second process writing the same folder gets an InputError.
    """
    path = Path(path)
    partial = path.absolute().parent / f".{path.absolute().name}.partial"
    with folder_lock(partial):
        _empty(partial)
        try:
            yield partial
            _move_onto(partial, path.absolute())
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != LOCK_NAME:
            child.unlink()


def _move_onto(partial: Path, path: Path) -> None:
    """Rename a finished folder into place; an old folder of that name is deleted afterwards."""
    old = path.parent / f".{path.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    (partial / LOCK_NAME).unlink()
    partial.rename(path)
    shutil.rmtree(old, ignore_errors=True)
