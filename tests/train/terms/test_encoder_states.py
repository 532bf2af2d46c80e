"""Distance of encoder states against numbers worked out by hand."""

import pytest
import torch

from whisper_qat.train.terms.encoder_states import encoder_sum


def test_encoder_states_are_compared_relative_to_the_teachers_and_by_tokens():
    teacher = torch.full((2, 3, 4), 2.0)
    student = teacher.clone()
    student[1] += 1.0  # squared distance 1 against a mean square of 4
    labels = torch.tensor([[5, 6, 7], [8, 9, -100]])
    assert encoder_sum(student, teacher, labels).item() == pytest.approx(2 * 0.25)
    assert encoder_sum(10 * student, 10 * teacher, labels).item() == pytest.approx(0.5)
