"""The objective: sums over labelled tokens, and a teacher with an encoder of its own."""

from dataclasses import replace

import pytest
import torch

from tests.train.tiny_run import PROMPT, tiny_whisper
from whisper_qat.data.loader import Batch
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.train import objective
from whisper_qat.train.objective import Objective, Whisper
from whisper_qat.train.terms.distillation import distillation_sum
from whisper_qat.train.terms.encoder_states import encoder_sum

HOW = Objective({"ce_weight": 0.8, "kl_weight": 1.0, "temperature": 2.0})


@pytest.fixture
def batch():
    torch.manual_seed(3)
    tokens = torch.tensor([[*PROMPT, 7, 8], [*PROMPT, 9, 2]])
    labels = torch.tensor([[-100, -100, 7, 8, 2], [-100, -100, 9, 2, -100]])
    return Batch(torch.randn(2, 8, 200), tokens, labels, ("a", "b"))


def test_sums_add_up_over_micro_batches(batch):
    student, teacher = Whisper(tiny_whisper()), Whisper(tiny_whisper(1))
    whole = objective.compute(student, teacher, batch, HOW)
    halves = [
        objective.compute(
            student, teacher,
            Batch(batch.mel[i : i + 1], batch.tokens[i : i + 1], batch.labels[i : i + 1], ("x",)),
            HOW,
        )
        for i in (0, 1)
    ]  # fmt: skip
    assert whole.total.item() == pytest.approx(sum(h.total.item() for h in halves), rel=1e-5)
    assert whole.total.item() == pytest.approx(
        0.8 * whole.sums["ce"].item() + whole.sums["kl"].item(), rel=1e-6
    )


def test_the_teacher_reads_its_own_encoder(batch):
    """Its target is that of the float model alone, though the student's encoder is in int4."""
    base, student = tiny_whisper(), tiny_whisper()
    apply_plan(student, plan(student, default_rules("int4", 32)))
    found = objective.compute(Whisper(student), Whisper(base), batch, HOW)
    with torch.no_grad():
        target, _ = Whisper(base)(batch.mel, batch.tokens)
        logits, _ = Whisper(student)(batch.mel, batch.tokens)
    expected = distillation_sum(logits, target, batch.labels, 2.0)
    assert (
        found.sums["kl"].item() == pytest.approx(expected.item(), rel=1e-6) and found.sums["kl"] > 0
    )


def test_a_teacher_may_hear_more_than_the_student(batch):
    """Its target is that on the whole window; its states beyond the student's do not count."""
    how = Objective({"ce_weight": 0.8, "kl_weight": 1.0, "temperature": 2.0, "encoder_weight": 1.0})
    student, teacher = Whisper(tiny_whisper()), Whisper(tiny_whisper(1))
    whole = torch.cat([batch.mel, torch.randn(2, 8, 100)], dim=2)
    found = objective.compute(student, teacher, replace(batch, teacher_mel=whole), how)
    with torch.no_grad():
        target, states = teacher(whole, batch.tokens)
        logits, encoded = student(batch.mel, batch.tokens)
    kl = distillation_sum(logits, target, batch.labels, 2.0)
    assert found.sums["kl"].item() == pytest.approx(kl.item(), rel=1e-6)
    states = encoder_sum(encoded, states[:, : encoded.shape[1]], batch.labels)
    assert found.sums["encoder_states"].item() == pytest.approx(states.item(), rel=1e-6)


def test_without_a_teacher_there_is_no_kl(batch):
    found = objective.compute(Whisper(tiny_whisper()), None, batch, HOW)
    assert found.sums["kl"].item() == 0
    assert found.total.item() == pytest.approx(0.8 * found.sums["ce"].item())


def test_encoder_distillation_adds_its_share_and_sums_over_clips(batch):
    how = Objective({"ce_weight": 0.0, "kl_weight": 0.0, "temperature": 2.0, "encoder_weight": 3.0})
    student, teacher = Whisper(tiny_whisper()), Whisper(tiny_whisper(1))
    whole = objective.compute(student, teacher, batch, how)
    assert whole.sums["kl"].item() == 0 and whole.sums["encoder_states"].item() > 0
    assert whole.total.item() == pytest.approx(3 * whole.sums["encoder_states"].item())
    halves = [
        Batch(batch.mel[i : i + 1], batch.tokens[i : i + 1], batch.labels[i : i + 1], ("x",))
        for i in (0, 1)
    ]
    parts = [
        objective.compute(student, teacher, half, how).sums["encoder_states"].item()
        for half in halves
    ]
    assert whole.sums["encoder_states"].item() == pytest.approx(sum(parts), rel=1e-5)


def test_no_gradient_reaches_the_teacher(batch):
    student, teacher = Whisper(tiny_whisper()), Whisper(tiny_whisper(1))
    objective.compute(student, teacher, batch, HOW).total.backward()
    assert all(p.grad is None for p in teacher.parameters())
    trained = [p for p in student.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)


def test_gradient_checkpointing_gives_the_same_gradients(batch):
    gradients = []
    for checkpointing in (False, True):
        student = Whisper(tiny_whisper(), checkpointing=checkpointing).train()
        objective.compute(student, None, batch, HOW).total.backward()
        gradients.append(student.model.model.encoder.layers[0].fc1.weight.grad)
    assert (gradients[0] == gradients[1]).all()


def test_a_batch_moves_whole(batch):
    moved = objective.to_device(batch, torch.device("cpu"))
    assert moved.ids == batch.ids and (moved.labels == batch.labels).all()
