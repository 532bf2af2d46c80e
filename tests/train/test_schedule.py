"""Schedule: known values at the ends and between."""

import pytest

from whisper_qat.train.schedule import rate_factor, warmup_steps


def test_known_values():
    factors = [rate_factor(step, total_steps=10, warmup=2) for step in range(10)]
    assert factors[:3] == [1 / 3, 2 / 3, 1.0]
    assert factors[2:] == [8 / 8, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]


def test_without_warm_up_it_starts_at_the_peak():
    assert rate_factor(0, total_steps=4, warmup=0) == 1.0


@pytest.mark.parametrize(("total", "ratio", "steps"), [(90, 0.05, 5), (100, 0.0, 0), (1, 0.5, 1)])
def test_warm_up_steps(total, ratio, steps):
    assert warmup_steps(total, ratio) == steps


def test_one_step_of_warm_up_alone_is_positive():
    assert rate_factor(0, total_steps=1, warmup=1) > 0
