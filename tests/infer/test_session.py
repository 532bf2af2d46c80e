"""Sessions are opened alike, from files and from bytes."""

import numpy as np

from tests.export import cases
from whisper_qat.export.encoder import ENCODER_FILE
from whisper_qat.infer.session import PINNED, PROVIDERS, open_session, session_options

MEL = {"input_features": np.ones((1, 8, 40), dtype=np.float32)}


def test_options_are_pinned():
    options = session_options(threads=1)
    assert options.intra_op_num_threads == 1
    assert {key: options.get_session_config_entry(key) for key in PINNED} == PINNED


def test_bytes_and_file_give_the_same(tmp_path):
    folder = cases.write(cases.tiny_whisper(256), tmp_path, cases.INT8)
    path = folder / ENCODER_FILE
    from_file = open_session(path, threads=1)
    from_bytes = open_session(path.read_bytes(), data_folder=folder, threads=1)
    assert from_file.get_providers() == PROVIDERS
    assert (from_file.run(None, MEL)[0] == from_bytes.run(None, MEL)[0]).all()
