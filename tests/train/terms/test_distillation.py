"""Distillation against numbers worked out by hand and with numpy."""

import math

import numpy as np
import pytest
import torch

from whisper_qat.train.terms.distillation import distillation_sum
from whisper_qat.train.terms.term import IGNORED

LABELS = torch.tensor([[IGNORED, 1, 0]])


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_distillation_is_t_squared_times_kl(temperature):
    rng = np.random.default_rng(0)
    student, teacher = rng.standard_normal((2, 1, 3, 5)).astype(np.float32)
    expected = 0.0
    for t in (1, 2):
        p = np.exp(teacher[0, t] / temperature) / np.exp(teacher[0, t] / temperature).sum()
        q = np.exp(student[0, t] / temperature) / np.exp(student[0, t] / temperature).sum()
        expected += temperature**2 * float((p * np.log(p / q)).sum())
    value = distillation_sum(
        torch.from_numpy(student), torch.from_numpy(teacher), LABELS, temperature
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_kl_of_two_coins():
    """KL((1/2, 1/2) || (1/4, 3/4)) = log(2) - log(3)/2."""
    student = torch.tensor([[[math.log(1.0), math.log(3.0)]]])
    value = distillation_sum(student, torch.zeros(1, 1, 2), torch.tensor([[1]]), 1.0)
    assert value.item() == pytest.approx(math.log(2) - math.log(3) / 2, rel=1e-6)


def test_kl_points_from_teacher_to_student():
    a, b = torch.tensor([[[0.0, 3.0]]]), torch.tensor([[[0.0, 0.0]]])
    label = torch.tensor([[0]])
    there = distillation_sum(a, b, label, 1.0).item()
    assert there != pytest.approx(distillation_sum(b, a, label, 1.0).item())


def test_the_gradient_of_distillation_hardly_depends_on_temperature():
    """In the limit of high T it is (student - teacher) / V for centred logits."""
    student = torch.tensor([[[0.3, -0.1, -0.2]]], requires_grad=True)
    teacher = torch.tensor([[[-0.1, 0.2, -0.1]]])
    value = distillation_sum(student, teacher, torch.tensor([[0]]), 100.0)
    value.backward()
    assert torch.allclose(student.grad, (student - teacher).detach() / 3, rtol=0.01)


def test_it_is_float32_under_bf16_logits():
    logits = torch.randn(1, 3, 5).bfloat16()
    assert distillation_sum(logits, logits, LABELS, 2.0).dtype == torch.float32
