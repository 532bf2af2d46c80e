"""Cross-entropy against numbers worked out by hand."""

import math

import pytest
import torch

from whisper_qat.train.terms.cross_entropy import cross_entropy_sum
from whisper_qat.train.terms.term import IGNORED

LABELS = torch.tensor([[IGNORED, 1, 0]])


def test_cross_entropy_of_uniform_logits_is_log_v_per_token():
    value = cross_entropy_sum(torch.zeros(1, 3, 5), LABELS)
    assert value.item() == pytest.approx(2 * math.log(5))


def test_ignored_positions_carry_nothing():
    logits = torch.zeros(1, 3, 5)
    logits[0, 0] = torch.tensor([100.0, -100.0, 0, 0, 0])
    assert cross_entropy_sum(logits, LABELS).item() == pytest.approx(2 * math.log(5))


def test_it_is_float32_under_bf16_logits():
    logits = torch.randn(1, 3, 5).bfloat16()
    assert cross_entropy_sum(logits, LABELS).dtype == torch.float32
