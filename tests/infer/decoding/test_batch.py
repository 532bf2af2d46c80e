"""Several clips at once: the tokens and margins of each alone, and no work for those that ended."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder, ptq_folder
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.batch import greedy_batch
from whisper_qat.infer.decoding.beam import BeamSettings, beam_search
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.onnx import backend as onnx_backend
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.model.onnx_files import STEP_FILE
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme

FRAMES = (3000, 206, 400, 2, 1004, 214)  # positions of every remainder by four


def mels(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(80, frames)).astype(np.float32) for frames in FRAMES]


class Counting:
    """A backend, and how many rows it was fed at each step."""

    def __init__(self, backend):
        self._backend = backend
        self.rows = []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def next_logits(self, tokens, state):
        self.rows.append(len(tokens))
        return self._backend.next_logits(tokens, state)


@pytest.fixture(scope="module", params=["none", "int8", "int4", "int4-128"])
def folder(request, tiny_whisper, tmp_path_factory):
    """Blocks of 128 have other sums beside others with AVX512-VNNI, all of 4 bits with AVX2."""
    output = tmp_path_factory.mktemp("batch") / request.param
    if request.param == "none":
        return onnx_folder(tiny_whisper, output)
    bits, _, block = request.param.partition("-")
    return ptq_folder(tiny_whisper, output, bits, block_size=int(block or 32))


def often_ending(folder, limit=24):
    """Rules under which random weights end clips at different steps."""
    rules = read_rules(folder, language="fr", max_new_tokens=limit)
    return replace(rules, end_ids=rules.end_ids | set(range(0, 1700, 9)))


@pytest.mark.parametrize("seed", range(3))
def test_each_clip_has_the_tokens_it_has_alone(folder, seed):
    backend, rules = OnnxBackend.from_folder(folder, 1), often_ending(folder)
    together = greedy_batch(backend, mels(seed), rules)
    alone = [greedy(backend, mel, rules) for mel in mels(seed)]
    assert together == alone  # margins too: not a bit differs
    assert len({len(d.tokens) for d in alone}) > 1  # they left at different steps


def test_ended_clips_cost_nothing_more(folder):
    rules = often_ending(folder)
    backend = Counting(OnnxBackend.from_folder(folder, 1))
    backend.rows_independent = True  # where a kernel's sums say otherwise, too: rows are counted
    lengths = [len(d.margins) for d in greedy_batch(backend, mels(1), rules)]
    assert backend.rows == [sum(n > step for n in lengths) for step in range(max(lengths))]


def test_the_limit_ends_all(folder):
    rules = read_rules(folder, language="fr", max_new_tokens=3)
    found = greedy_batch(OnnxBackend.from_folder(folder, 1), mels()[:2], rules)
    assert [len(d.tokens) for d in found] == [3, 3] and not any(d.ended for d in found)


def test_one_range_per_call_is_decoded_one_by_one(folder):
    backend = Counting(OnnxBackend.from_folder(folder, 1))
    backend.rows_independent = False
    rules = often_ending(folder, 6)
    found = greedy_batch(backend, mels()[:3], rules)
    assert set(backend.rows) == {1}
    assert found == [greedy(backend, mel, rules) for mel in mels()[:3]]


def test_int8_dynamic_layers_have_one_range_per_call(folder):
    steps = OnnxBackend.from_folder(folder, 1).decoder
    assert OnnxBackend(None, steps, [BlockScheme(8, 32)]).rows_independent
    ranged = OnnxBackend(None, steps, [BlockScheme(8, 32), DynamicScheme()])
    assert ranged.one_range_per_call and not ranged.rows_independent


@pytest.mark.parametrize("same", [True, False])
def test_a_kernel_with_other_sums_beside_others_is_decoded_one_by_one(folder, monkeypatch, same):
    """Beams stay: each row is on its own grid, and nobody has promised them bits."""
    steps = OnnxBackend.from_folder(folder, 1).decoder
    asked = {BlockScheme(8, 32): True, BlockScheme(4, 64): same}
    monkeypatch.setattr(onnx_backend, "same_bits_beside_others", asked.__getitem__)
    backend = OnnxBackend(None, steps, list(asked))
    assert backend.rows_independent is same and not backend.one_range_per_call


def test_no_clips_no_results(folder):
    assert greedy_batch(OnnxBackend.from_folder(folder, 1), [], often_ending(folder)) == []


def test_a_folder_without_the_step_graph_decodes_one_by_one(folder, tmp_path):
    old = shutil.copytree(folder, tmp_path / "old")
    (old / STEP_FILE).unlink()
    merged, rules = OnnxBackend.from_folder(old, 1), often_ending(folder)
    found = greedy_batch(merged, mels()[:3], rules)
    assert found == [greedy(merged, mel, rules) for mel in mels()[:3]]
    with pytest.raises(InputError, match=r"no step\.onnx, which beams need"):
        beam_search(merged, mels()[:1], rules, settings=BeamSettings())
    with pytest.raises(InputError, match=r"no step\.onnx, which beams need"):
        merged.encode_clips(mels())
