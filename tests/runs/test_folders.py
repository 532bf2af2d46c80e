"""Finished or not: atomic files, content hashes, manifests, folders that appear whole."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs import folders


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    at: Path


def test_json_comes_back(tmp_path):
    path = tmp_path / "new" / "a.json"
    folders.write_json(path, {"é": [1, np.float32(0.5), Point(1, Path("p"))]})
    assert folders.read_json(path) == {"é": [1, 0.5, {"x": 1, "at": "p"}]}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("obj", "error", "match"),
    [(object(), TypeError, "object does not go into JSON"), (float("nan"), ValueError, "range")],
    ids=["type", "nan"],
)
def test_failed_write_leaves_the_old_file(tmp_path, obj, error, match):
    path = tmp_path / "a.json"
    folders.write_json(path, 1)
    with pytest.raises(error, match=match):
        folders.write_json(path, obj)
    assert folders.read_json(path) == 1


def test_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.json"
    folders.write_json(path, 1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folders.write_json(path, 2)
    assert folders.read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_json_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    folders.write_json(tmp_path / "a.json", 1)
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("content", "match"),
    [(b'{"a": 1,\n"b": }', r"a\.json: line 2: not JSON"), (b"\xff\xfe", "not UTF-8")],
    ids=["syntax", "binary"],
)
def test_bad_json_is_named(tmp_path, content, match):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=match):
        folders.read_json(tmp_path / "a.json")


def test_missing_json_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.json: no such file"):
        folders.read_json(tmp_path / "a.json")


def test_hash_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert folders.hash_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_hash_folder_sees_names_and_contents_only(tmp_path):
    def folder(name: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return folders.hash_folder(tmp_path / name)

    one = folder("one", {"a": "1", "sub/b": "2"})
    assert folder("two", {"sub/b": "2", "a": "1", "manifest.json": "x", ".lock": "7"}) == one
    assert folder("renamed", {"c": "1", "sub/b": "2"}) != one
    assert folder("changed", {"a": "1", "sub/b": "3"}) != one
    assert folder("moved", {"a": "1", "b": "2"}) != one


def test_manifest_records_what_made_the_folder(tmp_path):
    folders.write_manifest(
        tmp_path, kind="data", inputs={"in": "h"}, config={"seed": 0}, extra={"clips": 3}
    )
    manifest = folders.read_manifest(tmp_path)
    assert manifest["kind"] == "data"
    assert manifest["clips"] == 3
    assert {"versions", "cpu", "gpu", "git_revision", "command", "created"} <= manifest.keys()
    assert folders.is_finished(tmp_path)


def test_extra_may_not_replace_a_field(tmp_path):
    with pytest.raises(AssertionError, match="may not replace"):
        folders.write_manifest(tmp_path, kind="a", inputs={}, config={}, extra={"config": 1})


def test_folder_without_manifest_is_unfinished(tmp_path):
    assert not folders.is_finished(tmp_path)
    with pytest.raises(InputError, match=r"unfinished or not one of ours \(no manifest\.json\)"):
        folders.read_manifest(tmp_path)


def test_manifest_that_is_no_object(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="expected an object"):
        folders.read_manifest(tmp_path)


def test_new_folder_appears_whole(tmp_path):
    path = tmp_path / "out"
    with folders.new_folder(path) as partial:
        (partial / "a").write_text("1")
        assert not path.exists()
    assert [p.name for p in path.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [path]


def test_new_folder_replaces_an_older_one_only_on_success(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(RuntimeError, match="stop"), folders.new_folder(path) as partial:
        (partial / "new").touch()
        raise RuntimeError("stop")
    assert [p.name for p in path.iterdir()] == ["old"]
    with folders.new_folder(path) as partial:
        (partial / "new").touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_new_folder_clears_what_a_killed_run_left(tmp_path):
    left = tmp_path / ".out.partial" / "sub"
    left.mkdir(parents=True)
    (left / "half").touch()
    with folders.new_folder(tmp_path / "out") as partial:
        (partial / "a").touch()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]


def test_new_folder_refuses_a_second_writer(tmp_path):
    with folders.new_folder(tmp_path / "out"):
        with pytest.raises(InputError, match="in use by another process"):
            folders.new_folder(tmp_path / "out").__enter__()
        assert (tmp_path / ".out.partial").is_dir()
