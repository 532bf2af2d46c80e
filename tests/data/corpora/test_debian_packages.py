"""Packages by apt-get: downloaded once, checked by hash, unpacked whole; errors say what to do."""

from dataclasses import replace

import pytest

from whisper_qat.data.corpora.debian_packages import fetch, require_tools, unpack
from whisper_qat.data.corpora.telephone import ALLISON_SMITH
from whisper_qat.errors import InputError

WANTED = ALLISON_SMITH.packages


@pytest.fixture
def served(fake_apt):
    fake_apt.serve(ALLISON_SMITH, "activated: Activated.\n", ("activated",))
    return fake_apt


def test_packages_are_unpacked_under_one_root(served, tmp_path):
    packages = fetch(WANTED, tmp_path / "cache")
    assert [(p.name, p.version, p.known) for p in packages] == [
        ("asterisk-core-sounds-en", "9.9-1", False),
        ("asterisk-core-sounds-en-g722", "9.9-1", False),
    ]
    root = unpack(WANTED, packages, tmp_path / "cache")
    assert (root / ALLISON_SMITH.transcripts).is_file()
    assert (root / ALLISON_SMITH.sounds / "activated.g722").is_file()


def test_nothing_is_downloaded_twice(served, tmp_path):
    assert fetch(WANTED, tmp_path / "cache") == fetch(WANTED, tmp_path / "cache")
    assert served.calls == 1


def test_a_damaged_download_is_noticed(served, tmp_path):
    package = fetch(WANTED, tmp_path / "cache")[1].path
    package.write_bytes(package.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"sha256 .*, expected .*; delete .* and run again"):
        fetch(WANTED, tmp_path / "cache")


def test_a_known_version_must_have_the_known_hash(served, tmp_path):
    known = {("asterisk-core-sounds-en", "9.9-1"): "0" * 64}
    with pytest.raises(InputError, match=f"expected {'0' * 64}"):
        fetch(replace(WANTED, known_sha256=known), tmp_path / "cache")


def test_failed_download_says_what_to_do(served, tmp_path):
    served.stop()
    message = (
        r"^telephone-en: 'apt-get download .*' failed \(E: Unable to locate.*'apt-get update'"
        r".*--source a manifest"
    )
    with pytest.raises(InputError, match=message):
        fetch(WANTED, tmp_path / "cache")


def test_a_package_that_did_not_come_is_named(served, tmp_path):
    next(served.folder.glob("*g722*.deb")).unlink()
    with pytest.raises(InputError, match=r"apt-get left no asterisk-core-sounds-en-g722_\*\.deb"):
        fetch(WANTED, tmp_path / "cache")


def test_another_system_is_told_what_to_give(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = r"^telephone-fr: no apt-get here \(it needs Debian .*give --source a manifest"
    with pytest.raises(InputError, match=message):
        require_tools("telephone-fr")
