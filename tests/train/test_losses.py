"""Losses against numbers worked out by hand and with numpy."""

import math

import numpy as np
import pytest
import torch

from whisper_qat.train import losses

LABELS = torch.tensor([[losses.IGNORED, 1, 0]])


def test_cross_entropy_of_uniform_logits_is_log_v_per_token():
    value = losses.cross_entropy_sum(torch.zeros(1, 3, 5), LABELS)
    assert value.item() == pytest.approx(2 * math.log(5))


def test_ignored_positions_carry_nothing():
    logits = torch.zeros(1, 3, 5)
    logits[0, 0] = torch.tensor([100.0, -100.0, 0, 0, 0])
    assert losses.cross_entropy_sum(logits, LABELS).item() == pytest.approx(2 * math.log(5))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_distillation_is_t_squared_times_kl(temperature):
    rng = np.random.default_rng(0)
    student, teacher = rng.standard_normal((2, 1, 3, 5)).astype(np.float32)
    expected = 0.0
    for t in (1, 2):
        p = np.exp(teacher[0, t] / temperature) / np.exp(teacher[0, t] / temperature).sum()
        q = np.exp(student[0, t] / temperature) / np.exp(student[0, t] / temperature).sum()
        expected += temperature**2 * float((p * np.log(p / q)).sum())
    value = losses.distillation_sum(
        torch.from_numpy(student), torch.from_numpy(teacher), LABELS, temperature
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_kl_of_two_coins():
    """KL((1/2, 1/2) || (1/4, 3/4)) = log(2) - log(3)/2."""
    student = torch.tensor([[[math.log(1.0), math.log(3.0)]]])
    value = losses.distillation_sum(student, torch.zeros(1, 1, 2), torch.tensor([[1]]), 1.0)
    assert value.item() == pytest.approx(math.log(2) - math.log(3) / 2, rel=1e-6)


def test_kl_points_from_teacher_to_student():
    a, b = torch.tensor([[[0.0, 3.0]]]), torch.tensor([[[0.0, 0.0]]])
    label = torch.tensor([[0]])
    there = losses.distillation_sum(a, b, label, 1.0).item()
    assert there != pytest.approx(losses.distillation_sum(b, a, label, 1.0).item())


def test_losses_are_float32_under_bf16_logits():
    logits = torch.randn(1, 3, 5).bfloat16()
    assert losses.cross_entropy_sum(logits, LABELS).dtype == torch.float32
    assert losses.distillation_sum(logits, logits, LABELS, 2.0).dtype == torch.float32


def test_the_gradient_of_distillation_hardly_depends_on_temperature():
    """In the limit of high T it is (student - teacher) / V for centred logits."""
    student = torch.tensor([[[0.3, -0.1, -0.2]]], requires_grad=True)
    teacher = torch.tensor([[[-0.1, 0.2, -0.1]]])
    value = losses.distillation_sum(student, teacher, torch.tensor([[0]]), 100.0)
    value.backward()
    assert torch.allclose(student.grad, (student - teacher).detach() / 3, rtol=0.01)


def test_what_is_not_finite_is_seen():
    assert losses.is_finite(torch.tensor(1.0))
    assert not losses.is_finite(torch.tensor(float("nan")))
    assert not losses.is_finite(torch.tensor(float("inf")))


def test_encoder_states_are_compared_relative_to_the_teachers_and_by_tokens():
    teacher = torch.full((2, 3, 4), 2.0)
    student = teacher.clone()
    student[1] += 1.0  # squared distance 1 against a mean square of 4
    labels = torch.tensor([[5, 6, 7], [8, 9, -100]])
    assert losses.encoder_sum(student, teacher, labels).item() == pytest.approx(2 * 0.25)
    assert losses.encoder_sum(10 * student, 10 * teacher, labels).item() == pytest.approx(0.5)
