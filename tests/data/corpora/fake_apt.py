"""apt-get and dpkg-deb as shell scripts that serve small packages from a folder."""

import gzip
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from G722 import G722

from whisper_qat.data.corpora.telephone import Voice

# Doubles that do what the real tools do to files: a .deb is a tar here.
APT_GET = """#!/bin/sh
[ -e "$FAKE_APT/broken" ] && { echo "E: Unable to locate package $2" >&2; exit 100; }
echo called >> "$FAKE_APT/calls"
cp "$FAKE_APT"/*.deb .
"""
DPKG_DEB = """#!/bin/sh
[ "$1" = -f ] && { echo 9.9-1; exit 0; }
tar -xf "$2" -C "$3"
"""


class FakeApt:
    """A folder of packages, and the two tools on the path that serve it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.folder = root, root / "apt"
        tools = root / "bin"
        for folder in (self.folder, tools):
            folder.mkdir()
        for name, script in (("apt-get", APT_GET), ("dpkg-deb", DPKG_DEB)):
            (tools / name).write_text(script)
            (tools / name).chmod(0o755 | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_APT", str(self.folder))

    @property
    def calls(self) -> int:
        return (self.folder / "calls").read_text().count("called")

    def stop(self) -> None:
        """From now on apt-get finds no package."""
        (self.folder / "broken").touch()

    def serve(self, voice: Voice, transcripts: str, sounds: tuple[str, ...]) -> None:
        """Make the voice's two packages, version 9.9-1; each sound is the same second of tone."""
        content = self.root / "content" / voice.packages.source
        texts = content / "text" / voice.transcripts
        texts.parent.mkdir(parents=True)
        texts.write_bytes(gzip.compress(transcripts.encode()))
        tone = (10_000 * np.sin(np.arange(16_000) * 0.1)).astype(np.int16)
        for name in sounds:
            path = content / "audio" / voice.sounds / f"{name}.g722"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(G722(16_000, 64_000).encode(tone.tolist())))
        for part, package in zip(("text", "audio"), voice.packages.names, strict=True):
            made = shutil.make_archive(str(self.root / package), "tar", content / part)
            shutil.move(made, self.folder / f"{package}_9.9-1_all.deb")
