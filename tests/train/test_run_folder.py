"""The training folder: whose run it holds."""

import json

import pytest

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.screen import Rejected
from whisper_qat.data.clips.selection import Selection
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import write_json, write_manifest
from whisper_qat.train.run_folder import has_begun, is_done, record_settings

CONFIG = {"seed": 1, "learning_rate": 0.1, "output_dir": "a", "resume": True}


def selection(text="un"):
    clips = [Clip(id="a", audio="a.wav", text=text)]
    rejected = [Rejected(id="b", reason="silent")]
    return Selection(train=clips, validation=[], rejected=rejected, notes=[])


def test_a_new_folder_has_not_begun(tmp_path):
    assert not has_begun(tmp_path) and not is_done(tmp_path, CONFIG, resume=True)


def test_settings_and_left_out_clips_are_recorded(tmp_path):
    record_settings(tmp_path, CONFIG, selection())
    assert has_begun(tmp_path) and not is_done(tmp_path, CONFIG, resume=True)
    lines = (tmp_path / "left_out.jsonl").read_text().splitlines()
    left_out = [json.loads(line) for line in lines]
    assert left_out == [{"id": "b", "reason": "silent"}]
    record_settings(tmp_path, CONFIG, selection())


def test_finished_means_a_manifest_in_final(tmp_path):
    record_settings(tmp_path, CONFIG, selection())
    (tmp_path / "final").mkdir()
    write_manifest(tmp_path / "final", kind="model", inputs={}, config=CONFIG)
    assert is_done(tmp_path, CONFIG, resume=False)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(InputError, match=r"\(seed=1, now 2\); give another --output_d"):
        is_done(tmp_path, CONFIG | {"seed": 2}, resume=True)


def test_where_the_output_lies_may_change(tmp_path):
    record_settings(tmp_path, CONFIG, selection())
    assert not is_done(tmp_path, CONFIG | {"output_dir": "b"}, resume=True)


def test_refusals(tmp_path):
    record_settings(tmp_path, CONFIG, selection())
    with pytest.raises(InputError, match=r"other settings \(learning_rate=0.1, now 0.2\)"):
        is_done(tmp_path, CONFIG | {"learning_rate": 0.2}, resume=True)
    with pytest.raises(InputError, match="holds an unfinished run; pass --resume true"):
        is_done(tmp_path, CONFIG, resume=False)
    with pytest.raises(InputError, match="the training data changed since this run began"):
        record_settings(tmp_path, CONFIG, selection("deux"))
    write_json(tmp_path / "settings.json", {"config": {}, "clips": ""})
    with pytest.raises(InputError, match=r"\(seed=None, now 1; learning_rate=None, now 0.1"):
        is_done(tmp_path, CONFIG, resume=True)
