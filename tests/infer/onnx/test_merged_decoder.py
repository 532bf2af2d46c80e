"""The merged decoder's steps: a cache that grows, and only the logits that were asked for."""

import numpy as np

from tests.export import cases
from whisper_qat.infer.onnx.merged_decoder import MergedDecoder
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.infer.onnx.session import session
from whisper_qat.model.onnx_files import DECODER_FILE

TOKENS = np.array([[3, 11, 42, 96]], dtype=np.int64)


def test_steps_on_the_cache_are_the_whole_sequence_at_once(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    side = MergedDecoder(session(folder / DECODER_FILE, 1))
    states = value(np.random.default_rng(1).normal(size=(1, 9, 64)).astype(np.float32))
    whole = side.run(TOKENS, side.start([states]), 0)
    state = side.start([states])
    first = side.run(TOKENS[:, :3], state, -1)
    second = side.run(TOKENS[:, 3:], state, -1)
    assert first.shape == second.shape == (1, 1, 97)
    stepped = np.concatenate([first, second], axis=1)
    assert cases.difference(stepped, whole[:, 2:]) < 1e-5
