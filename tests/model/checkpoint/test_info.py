"""The record that a folder carries: read back, or said to be missing or of another format."""

import json
from dataclasses import asdict

import pytest

from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.info import INFO_NAME, Info, read_info

INFO = Info(
    quantization_type="int8",
    method="qat",
    fine_tuned=True,
    audio_context={"mode": "dynamic", "margin_s": 3.0},
    base_model={"name": "base", "fingerprint": "0"},
    training_seed=1,
)


def test_a_record_is_read_back(tmp_path):
    (tmp_path / INFO_NAME).write_text(json.dumps(asdict(INFO)))
    assert read_info(tmp_path) == INFO


def test_a_folder_of_others_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no whisper_qat.json; expected the final/ folder of a t"):
        read_info(tmp_path)


@pytest.mark.parametrize("content", [{"method": "qat"}, asdict(INFO) | {"format_version": 2}])
def test_another_format_is_refused(tmp_path, content):
    (tmp_path / INFO_NAME).write_text(json.dumps(content))
    with pytest.raises(InputError, match="whisper_qat.json: not of format 1"):
        read_info(tmp_path)
