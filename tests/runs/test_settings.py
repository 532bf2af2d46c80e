"""Settings of an evaluation folder: written once, compared by key."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json
from whisper_qat.runs.settings import check_clips, check_settings

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
