"""Fetches Debian packages that hold speech, and unpacks them, without root.

``apt-get download`` and ``dpkg-deb -x`` leave the system as it is. apt checks its archive's
signatures; versions that documented figures were made with must also have the hash pinned for them.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import hash_file, read_json, write_json

RECORD_NAME = "packages.json"
INSTEAD = (
    "give --source a manifest (JSONL or CSV with 'audio' and 'text'), an audiofolder, a folder "
    "from save_to_disk or a Hub id"
)


@dataclass(frozen=True, kw_only=True)
class PackageSet:
    """The packages of one source, which messages name, and the hashes of known versions.

    ``known_sha256`` goes by name and version.
    """

    source: str
    names: tuple[str, ...]
    known_sha256: Mapping[tuple[str, str], str]


@dataclass(frozen=True, kw_only=True)
class Package:
    """A downloaded .deb; ``known`` when its hash is among those pinned for its source."""

    name: str
    version: str
    path: Path
    sha256: str
    known: bool


def fetch(wanted: PackageSet, cache: Path) -> list[Package]:
    """All packages, from ``cache`` when an earlier run has put them there; hashes are checked."""
    require_tools(wanted.source)
    record = cache / RECORD_NAME
    if not record.is_file():
        _download(wanted, cache, record)
    return [
        _check_package(wanted, cache, name, **about) for name, about in read_json(record).items()
    ]


def require_tools(source: str) -> None:
    """InputError, in the name of ``source``, on a system without Debian's package tools."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise InputError(f"{source}: no {tool} here (it needs Debian or Ubuntu); {INSTEAD}")


def _download(wanted: PackageSet, cache: Path, record: Path) -> None:
    """Into a folder of its own first: a killed apt-get leaves half a file under its final name."""
    landing = cache / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    landing.mkdir(parents=True)
    _run(wanted.source, ["apt-get", "download", *wanted.names], landing)
    found = {}
    for name in wanted.names:
        path = next(landing.glob(f"{name}_*.deb"), None)
        if path is None:
            raise InputError(
                f"{wanted.source}: apt-get left no {name}_*.deb in {landing}; {INSTEAD}"
            )
        version = _run(wanted.source, ["dpkg-deb", "-f", path.name, "Version"], landing).strip()
        path.replace(cache / path.name)
        found[name] = {
            "file": path.name,
            "version": version,
            "sha256": hash_file(cache / path.name),
        }
    landing.rmdir()
    write_json(record, found)


def _run(source: str, command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = (lines or done.stderr.splitlines() or ["no message"])[0]
        raise InputError(
            f"{source}: '{' '.join(command)}' failed ({reason}); run 'apt-get update' as root "
            f"and try again, or {INSTEAD}"
        )
    return done.stdout


def _check_package(
    wanted: PackageSet, cache: Path, name: str, file: str, version: str, sha256: str
) -> Package:
    path = cache / file
    expected = wanted.known_sha256.get((name, version), sha256)
    actual = hash_file(path) if path.is_file() else "no such file"
    if actual != expected:
        raise InputError(
            f"{path}: sha256 {actual}, expected {expected}; delete {cache} and run again"
        )
    known = (name, version) in wanted.known_sha256
    return Package(name=name, version=version, path=path, sha256=actual, known=known)


def unpack(wanted: PackageSet, packages: list[Package], cache: Path) -> Path:
    """The packages' files under one root; done once, and whole or not at all."""
    root = cache / ("unpacked-" + "-".join(p.sha256[:12] for p in packages))
    if not root.is_dir():
        partial = cache / "unpacking"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for package in packages:
            _run(wanted.source, ["dpkg-deb", "-x", package.path.name, partial.name], cache)
        partial.rename(root)
    return root
