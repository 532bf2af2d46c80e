"""A teacher with kept outputs: the float model's logits, computed once, whatever the batch."""

import pytest
import torch

from tests.export.cases import tiny_whisper
from whisper_qat.train.kept_teacher import KeptTeacher
from whisper_qat.train.objective import Whisper

END = 2
MEL = torch.randn(3, 8, 40, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[3, 5, 7, 9], [3, 8, END, END], [3, 6, 4, END]])
LENGTHS = (4, 2, 3)


@pytest.fixture
def teacher(tmp_path):
    return KeptTeacher(tiny_whisper().eval(), tmp_path / "kept", "abc")


def files(teacher):
    return sorted(teacher.folder.rglob("*.safetensors"))


def test_logits_are_the_live_teacher_s(teacher):
    expected, _ = Whisper(teacher.model)(MEL, TOKENS)
    found, _ = teacher(MEL, TOKENS)
    for row, length in enumerate(LENGTHS):
        assert torch.allclose(found[row, :length], expected[row, :length], atol=1e-5)
        assert (found[row, length:] == 0).all()
    assert teacher.computed == 3 and len(files(teacher)) == 3


def test_a_second_run_computes_nothing_and_has_the_same_bits(teacher):
    first, _ = teacher(MEL, TOKENS)
    again = KeptTeacher(tiny_whisper().eval(), teacher.folder, "abc")
    assert (again(MEL, TOKENS)[0] == first).all() and again.computed == 0


def test_the_batch_does_not_matter(teacher):
    together, _ = teacher(MEL, TOKENS)
    alone, _ = teacher(MEL[1:2], torch.tensor([[3, 8, END, END, END, END]]))
    assert teacher.computed == 3 and (alone[0, :2] == together[1, :2]).all()


@pytest.mark.parametrize("changed", ["teacher", "mel", "tokens", "dtype"])
def test_whatever_decides_the_values_is_another_file(teacher, changed):
    teacher(MEL[:1], TOKENS[:1])
    mel, tokens, other = MEL[:1], TOKENS[:1], teacher
    if changed == "teacher":
        other = KeptTeacher(teacher.model, teacher.folder, "abd")
    if changed == "mel":
        mel = mel + 1e-6
    if changed == "tokens":
        tokens = TOKENS[2:]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=changed == "dtype"):
        other(mel, tokens)
    assert len(files(teacher)) == 2


def test_a_damaged_file_is_computed_again(teacher):
    first, _ = teacher(MEL[:1], TOKENS[:1])
    (path,) = files(teacher)
    path.write_bytes(path.read_bytes()[:-5])
    again, _ = teacher(MEL[:1], TOKENS[:1])
    assert teacher.computed == 2 and (again == first).all()


def test_no_gradient_and_no_partial_file_is_left(teacher):
    logits, states = teacher(MEL, TOKENS)
    assert not logits.requires_grad and states.numel() == 0
    assert [p for p in teacher.folder.rglob(".*")] == []
