"""Parts: every layer in one part of each division, the pattern saying the same as the list."""

import re

import pytest

from tests.export import cases
from whisper_qat.model.fake_quant.prepare import quantizable
from whisper_qat.model.plan.plan import HEAD, STORED, TOKEN_TABLE
from whisper_qat.sensitivity.parts import BY, parts


@pytest.fixture(scope="module")
def names():
    return quantizable(cases.tiny_whisper())


@pytest.mark.parametrize("by", BY)
def test_every_matrix_is_in_one_part_and_its_pattern_finds_it(names, by):
    *matrices, embedding, head = parts(names, by)
    covered = [name for part in matrices for name in part.layers]
    assert sorted(covered) == sorted(set(names) - {TOKEN_TABLE, *STORED})
    for part in matrices:
        assert [n for n in names if re.fullmatch(part.pattern, n)] == list(part.layers)
    assert (embedding.layers, head.layers) == ((TOKEN_TABLE,), (HEAD,))
    assert embedding.pattern == head.pattern and re.fullmatch(head.pattern, TOKEN_TABLE)


def test_names_of_kinds(names):
    found = [part.name for part in parts(names, "kind")]
    assert found == [
        "encoder k", "encoder v", "encoder q", "encoder out", "encoder fc1", "encoder fc2",
        "decoder k", "decoder v", "decoder q", "decoder out",
        "decoder cross k", "decoder cross v", "decoder cross q", "decoder cross out",
        "decoder fc1", "decoder fc2", "embedding", "head",
    ]  # fmt: skip


@pytest.mark.parametrize(("by", "number"), [("side", 2), ("layer", 4), ("matrix", 2 * 6 + 2 * 10)])
def test_numbers_of_the_other_divisions(names, by, number):
    assert len(parts(names, by)) == number + 2


def test_a_layer_that_whisper_does_not_have():
    with pytest.raises(ValueError, match=r"model.encoder.other: not a layer of Whisper"):
        parts(["model.encoder.other"], "kind")
