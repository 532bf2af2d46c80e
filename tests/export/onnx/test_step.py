"""The engine's own graphs: logits of the merged graph bit for bit, on its data, with no copies."""

import re
import shutil

import numpy as np
import onnx
import pytest

from tests.export import cases
from whisper_qat.export.onnx import step
from whisper_qat.infer.onnx.backend import OnnxBackend, open_decoder
from whisper_qat.infer.onnx.merged_decoder import MergedDecoder
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.infer.onnx.session import session
from whisper_qat.model.onnx_files import CROSS_FILE, DECODER_FILE, STEP_FILE

TOKENS = np.array([[3, 11, 42, 96]], dtype=np.int64)
# optimum.onnxruntime.constants: found anywhere in a folder's names
OPTIMUM = [r"(.*)?encoder(.*)?\.onnx", r"(.*)?decoder(.*)?\.onnx"]


def states(length, seed=1, width=64):
    return np.random.default_rng(seed).normal(size=(1, length, width)).astype(np.float32)


@pytest.mark.parametrize("length", [52, 8, 4])
@pytest.mark.parametrize(
    "scheme",
    [None, cases.INT8, cases.INT4, cases.ROW, cases.SEVEN, cases.TWO_LEVEL, cases.DYNAMIC],
    ids=["float", "int8", "int4", "row", "seven", "two-level", "dynamic"],
)
def test_logits_are_those_of_the_merged_graph_bit_for_bit(tmp_path, scheme, length):
    """Positions in fours and a cache as long as its past: others change the last bit of a sum."""
    folder = cases.write(cases.tiny_whisper(), tmp_path, scheme)
    both = [open_decoder(folder, 1), MergedDecoder(session(folder / DECODER_FILE, 1))]
    kept = [side.start([value(states(length))]) for side in both]
    kept[0].cache.growth = 1
    for tokens in (TOKENS, [[5]], [[6]], [[7, 8]]):
        tokens = np.array(tokens, np.int64)
        ours, theirs = (s.run(tokens, k, 0) for s, k in zip(both, kept, strict=True))
        assert (ours == theirs).all() and ours.shape == (1, tokens.shape[1], 97)


def test_free_places_of_the_cache_are_not_heard(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    decoder = open_decoder(folder, 1)
    tight, free = (decoder.start([value(states(9))]) for _ in range(2))
    tight.cache.growth = 1
    free.cache.make_room(1, 60)
    for array in free.cache.arrays.values():
        array[:] = 1e4  # what lies there counts for nothing
    for tokens in (TOKENS, [[5]], [[6]]):
        tokens = np.array(tokens, np.int64)
        ours, theirs = (decoder.run(tokens, state, 0) for state in (free, tight))
        assert cases.difference(ours, theirs) < 1e-6


def test_three_beyond_fours_are_summed_in_another_order(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    both = [open_decoder(folder, 1), MergedDecoder(session(folder / DECODER_FILE, 1))]
    ours, theirs = (side.run(TOKENS, side.start([value(states(47))]), 0) for side in both)
    assert cases.difference(ours, theirs) < 1e-6  # one float32 sum of each softmax


def test_only_the_last_position_is_computed_when_only_it_is_wanted(tmp_path):
    side = open_decoder(cases.write(cases.tiny_whisper(), tmp_path), 1)
    every = side.run(TOKENS, side.start([value(states(9))]), 0)
    last = side.run(TOKENS, side.start([value(states(9))]), -1)
    assert last.shape == (1, 1, 97)
    assert np.abs(last[:, 0] - every[:, -1]).max() < 1e-5  # the head's sum over other row counts


def test_no_copy_of_the_cache_is_left(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path, cases.INT8)
    graph = onnx.load(str(folder / STEP_FILE), load_external_data=False).graph
    assert {node.op_type for node in graph.node}.isdisjoint({"If", "Identity"})
    past = {i.name for i in graph.input if "past_key" in i.name}
    readers = {n.op_type for n in graph.node if past & set(n.input)}
    assert readers == {"ScatterND", "MultiHeadAttention", "Shape"}
    cross = onnx.load(str(folder / CROSS_FILE), load_external_data=False).graph
    assert {node.op_type for node in cross.node}.isdisjoint({"If", "Identity"})


def initializers(path):
    return onnx.load(str(path), load_external_data=False).graph.initializer


def place(tensor):
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return entries["location"], entries["offset"]


def test_no_weight_is_stored_twice_or_loaded_twice(tmp_path):
    folder = cases.write(cases.tiny_whisper(d_model=256), tmp_path, cases.INT8)
    merged = {t.name: place(t) for t in initializers(folder / DECODER_FILE) if t.external_data}
    step_data, cross_data = (
        {t.name: place(t) for t in initializers(folder / name) if t.external_data}
        for name in (STEP_FILE, CROSS_FILE)
    )
    assert step_data and cross_data and not set(step_data) & set(cross_data)
    assert step_data | cross_data == merged
    assert not [p for p in folder.iterdir() if p.name.startswith(("step.onnx_", "cross.onnx_"))]


def test_optimum_s_patterns_do_not_see_them(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    names = [p.name for p in folder.glob("*.onnx")]
    assert {STEP_FILE, CROSS_FILE} < set(names)
    found = [[n for n in names if re.search(pattern, n)] for pattern in OPTIMUM]
    assert found == [["encoder_model.onnx"], [DECODER_FILE]]


def test_both_pass_the_onnx_checker(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    for name in (STEP_FILE, CROSS_FILE):
        onnx.checker.check_model(str(folder / name), full_check=True)


def test_a_folder_without_them_runs_through_the_merged_graph(tmp_path):
    new = cases.write(cases.tiny_whisper(), tmp_path / "new", cases.INT8)
    old = shutil.copytree(new, tmp_path / "old")
    (old / STEP_FILE).unlink()
    (old / CROSS_FILE).unlink()
    mel = np.random.default_rng(0).normal(size=(1, 8, 40)).astype(np.float32)
    ours, theirs = (OnnxBackend.from_folder(folder, 1) for folder in (new, old))
    a, b = (side.logits(TOKENS, side.encode(mel)) for side in (ours, theirs))
    assert isinstance(theirs.decoder, MergedDecoder) and (a == b).all()


def test_a_merged_graph_without_the_final_norm_is_refused():
    with pytest.raises(AssertionError, match="no final norm"):
        step.head_from([onnx.helper.make_node("Relu", ["x"], ["y"], "other")])


def test_no_factor_keeps_attention_from_the_product_of_a_single_row(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path, None)
    nodes = onnx.load(str(folder / STEP_FILE), load_external_data=False).graph.node
    attention = [node for node in nodes if node.op_type == "MultiHeadAttention"]
    factors = {a.f for node in attention for a in node.attribute if a.name == "scale"}
    assert attention and factors == {1.0}
