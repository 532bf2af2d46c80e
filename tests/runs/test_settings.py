"""What a folder was made with, compared by key; the settings of an evaluation folder."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json, write_manifest
from whisper_qat.runs.settings import (
    check_clips,
    check_settings,
    differences,
    finished_manifest,
    refuse_other_inputs,
    refuse_other_settings,
)

SETTINGS = {"language": "fr", "rows": {"qat": "a" * 64}}


def test_the_same_settings_pass_again(tmp_path):
    (tmp_path / ".lock").touch()
    check_settings(tmp_path, SETTINGS)
    check_settings(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({"language": "en", "rows": SETTINGS["rows"]}, r"\(language='fr', now 'en'\)"),
        (SETTINGS | {"rows": {"qat": "b" * 64}}, r"\(rows.qat='aa.*, now 'bb.*'\)"),
        (SETTINGS | {"task": "translate"}, r"\(task=None, now 'translate'\)"),
        ({"rows": SETTINGS["rows"]}, r"\(language='fr', now None\)"),
    ],
    ids=["value", "fingerprint", "new key", "key gone"],
)
def test_the_key_that_differs_is_named(tmp_path, now, message):
    check_settings(tmp_path, SETTINGS)
    with pytest.raises(InputError, match=message + "; give another --output_dir or remove it"):
        check_settings(tmp_path, now)


def test_rows_may_join_and_leave_and_keep_their_folder(tmp_path):
    check_settings(tmp_path, SETTINGS)
    check_settings(tmp_path, SETTINGS | {"rows": {"ptq": "b" * 64}})
    kept = read_json(tmp_path / "settings.json")["rows"]
    assert kept == {"qat": "a" * 64, "ptq": "b" * 64}
    with pytest.raises(InputError, match=r"\(rows.qat='aa.*, now 'cc"):
        check_settings(tmp_path, SETTINGS | {"rows": {"qat": "c" * 64}})


def test_clips_may_join_but_not_change(tmp_path):
    check_settings(tmp_path, SETTINGS)
    check_clips(tmp_path, {"fleurs": "1"})
    check_clips(tmp_path, {"mtedx": "2"})
    assert read_json(tmp_path / "settings.json")["clips"] == {"fleurs": "1", "mtedx": "2"}
    check_settings(tmp_path, SETTINGS)
    with pytest.raises(InputError, match=r"clips of fleurs='1', now '3'"):
        check_clips(tmp_path, {"fleurs": "3"})


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="exists and is not an evaluation folder"):
        check_settings(tmp_path, SETTINGS)


def test_the_first_differences_are_listed_and_the_rest_counted():
    now = dict.fromkeys("abcde", 1)
    message = (
        r"folder: exists with other settings \(a=None, now 1; b=.*; c=.*; and 2 more\); rename"
    )
    with pytest.raises(InputError, match=message):
        refuse_other_settings("folder", {}, now, advice="rename it")


def test_nested_settings_are_named_by_a_dotted_key():
    before, now = {"context": {"mode": "full", "margin_s": 0}}, {"context": {"mode": "full"}}
    with pytest.raises(InputError, match=r"\(context.margin_s=0, now None\)"):
        refuse_other_settings("folder", before, now, advice="rename it")


def test_ignored_and_former_keys_may_differ():
    refuse_other_settings("f", {"dry_run": True}, {}, advice="", ignored={"dry_run"})
    refuse_other_settings("f", {"of_old": 1, "a": 2}, {"a": 2}, advice="", ignore_former=True)


def test_long_values_show_both_ends():
    (found,) = differences({"data": "a" * 60 + "b"}, {"data": "a" * 60 + "c"})
    assert found == f"data='{'a' * 21}...{'a' * 20}b', now '{'a' * 21}...{'a' * 20}c'"


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({"model": "b"}, "folder: made from another checkpoint; rename it"),
        ({"model": "a", "plan": "c"}, "made from something else"),
        ({}, "made from more inputs"),
    ],
    ids=["changed", "added", "fewer"],
)
def test_other_inputs_are_refused(now, message):
    names = {"model": "another checkpoint"}
    refuse_other_inputs("folder", {"model": "a"}, {"model": "a"}, advice="", names=names)
    with pytest.raises(InputError, match=message):
        refuse_other_inputs("folder", {"model": "a"}, now, advice="rename it", names=names)


def test_a_finished_folder_is_one_of_the_kind_asked_for(tmp_path):
    def found(kind):
        return finished_manifest(tmp_path, "folder", kind=kind, advice="rename it")

    assert found("model") is None
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="folder: exists and is not a finished folder; rename"):
        found("model")
    write_manifest(tmp_path, kind="model", inputs={}, config={})
    assert found("model")["kind"] == "model"
    with pytest.raises(InputError, match="folder: is a model folder; rename it"):
        found("onnx")
