"""Mixed plans: the best KL per byte first, within one budget."""

import pytest

from whisper_qat.ptq.mixed_plan import Unit, propose


def unit(name, coarse_kl, coarse_bytes=100, fine_bytes=200, fine_kl=0.0):
    return Unit(
        name=name, pattern=name, coarse_kl=coarse_kl, fine_kl=fine_kl, coarse_bytes=coarse_bytes,
        fine_bytes=fine_bytes,
    )  # fmt: skip


UNITS = [unit("small", 0.1), unit("large", 0.5), unit("dear", 0.6, fine_bytes=1100)]


def test_size_budget_takes_the_best_per_byte_that_fit():
    made = propose(UNITS, max_bytes=500)
    assert made.fine == ("large", "small") and made.bytes == 500
    assert made.expected_kl == pytest.approx(0.6)
    assert propose(UNITS, max_bytes=499).fine == ("large",)
    assert propose(UNITS, max_bytes=300).fine == ()


def test_kl_budget_stops_when_it_is_met():
    made = propose(UNITS, max_kl=0.7)
    assert made.fine == ("large",) and made.expected_kl == pytest.approx(0.7)
    assert set(propose(UNITS, max_kl=0.05).fine) == {"small", "large", "dear"}


def test_what_is_better_coarse_stays_coarse():
    odd = [unit("odd", 0.1, fine_kl=0.2), *UNITS]
    assert "odd" not in propose(odd, max_bytes=10_000).fine


def test_a_free_improvement_comes_first():
    free = [*UNITS, unit("free", 0.01, fine_bytes=100)]
    assert propose(free, max_bytes=400).fine == ("free",)


def test_budgets_that_cannot_be_met():
    with pytest.raises(ValueError, match="300 bytes with every part coarse, the budget is 299"):
        propose(UNITS, max_bytes=299)
    with pytest.raises(ValueError, match=r"KL 0.2 with every part fine, the budget is 0.1"):
        propose([unit("a", 0.5, fine_kl=0.2)], max_kl=0.1)
