"""Sessions: pinned options, and files that cannot be loaded."""

import pytest

from whisper_qat.config import InputError
from whisper_qat.infer.session import PINNED, session, session_options


def test_options_are_pinned():
    options = session_options(2)
    assert options.intra_op_num_threads == 2
    for key, value in PINNED.items():
        assert options.get_session_config_entry(key) == value


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="decoder.onnx: no such file"):
        session(tmp_path / "decoder.onnx")


def test_damaged_file_is_named(tmp_path):
    path = tmp_path / "decoder.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match="decoder.onnx: onnxruntime cannot load it"):
        session(path)
