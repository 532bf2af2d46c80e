"""Steps on one binding: memory stays, grows and moves with the same logits."""

import numpy as np
import onnx
import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.infer.onnx.step_decoder import StepDecoder
from whisper_qat.model.onnx_files import STEP_FILE

PROMPT = np.array([[3, 11, 42, 96]], dtype=np.int64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cases.write(cases.tiny_whisper(), tmp_path_factory.mktemp("step"), cases.INT8)


def states(seed=1, length=9):
    rng = np.random.default_rng(seed)
    return value(rng.normal(size=(1, length, 64)).astype(np.float32))


def test_the_cache_s_memory_stays_until_it_is_full(folder):
    decoder = StepDecoder.from_folder(folder, 1)
    state = decoder.start([states()])
    state.cache.growth = 6
    decoder.run(PROMPT, state, 0)
    arrays, binding = list(state.cache.arrays.values()), state.binding
    for token in ([[5]], [[6]]):
        decoder.run(np.array(token), state, 0)
    assert state.binding is binding and state.cache.length == 6
    assert all(a is b for a, b in zip(arrays, state.cache.arrays.values(), strict=True))
    assert arrays[0][:, :, :6].all()  # written by onnxruntime
    decoder.run(np.array([[7]]), state, 0)
    assert state.binding is not binding and state.cache.arrays.popitem()[1].shape[2] == 12


def test_growing_changes_no_logit(folder):
    decoder = StepDecoder.from_folder(folder, 1)
    roomy, grown = decoder.start([states()]), decoder.start([states()])
    roomy.cache.growth, grown.cache.growth = 16, 4
    for tokens in (PROMPT, [[5]], [[6]], [[7, 8]], [[9]]):
        tokens = np.array(tokens)
        ours, theirs = (decoder.run(tokens, state, 0) for state in (grown, roomy))
        assert cases.difference(ours, theirs) < 2e-2  # a flipped code at most


def test_rows_that_move_are_heard_where_they_are(folder):
    decoder = StepDecoder.from_folder(folder, 1)
    pair = decoder.start([states(1), states(2)])
    decoder.run(np.repeat(PROMPT, 2, axis=0), pair, -1)
    alone = decoder.start([states(2)])
    decoder.run(PROMPT, alone, -1)
    for array in pair.cross.values():
        array[0] = array[1]
    pair.use_clips(1)
    pair.take_rows([1])
    ours, theirs = (decoder.run(np.array([[5]]), state, -1) for state in (pair, alone))
    assert (ours == theirs).all()


def test_a_step_graph_of_an_earlier_version(folder, tmp_path):
    old = onnx.load(str(folder / STEP_FILE), load_external_data=False)
    kept = [i for i in old.graph.input if i.name != "past_length"]
    del old.graph.input[:], old.graph.initializer[:], old.graph.node[:], old.graph.output[:]
    old.graph.input.extend(kept)
    old.graph.node.append(onnx.helper.make_node("Identity", ["input_ids"], ["logits"]))
    vector = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.INT64, None)
    old.graph.output.append(vector)
    (tmp_path / STEP_FILE).write_bytes(old.SerializeToString())
    with pytest.raises(InputError, match=r"step\.onnx: written by an earlier .* remove the folder"):
        StepDecoder.from_folder(tmp_path, 1)
