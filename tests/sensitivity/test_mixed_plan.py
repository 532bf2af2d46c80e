"""Mixed plans: the least KL, or the fewest bytes, within one budget."""

from itertools import product

import numpy as np
import pytest

from whisper_qat.sensitivity.mixed_plan import Unit, propose


def unit(name, coarse_kl, coarse_bytes=100, fine_bytes=200, fine_kl=0.0):
    return Unit(
        name=name, pattern=name, coarse_kl=coarse_kl, fine_kl=fine_kl, coarse_bytes=coarse_bytes,
        fine_bytes=fine_bytes,
    )  # fmt: skip


UNITS = [unit("small", 0.1), unit("large", 0.5), unit("dear", 0.6, fine_bytes=1100)]


def test_size_budget_takes_the_least_kl_that_fits():
    made = propose(UNITS, max_bytes=500)
    assert made.fine == ("large", "small") and made.bytes == 500
    assert made.expected_kl == pytest.approx(0.6)
    assert propose(UNITS, max_bytes=499).fine == ("large",)
    assert propose(UNITS, max_bytes=300).fine == ()


def test_a_small_unit_does_not_take_the_room_of_a_large_one():
    """By KL per byte `small` comes before `dear`, and then there is no room for it."""
    units = [unit("small", 0.1), unit("dear", 0.6, fine_bytes=1100)]
    assert propose(units, max_bytes=1299).fine == ("dear",)
    assert propose(units, max_bytes=1300).fine == ("small", "dear")


@pytest.mark.parametrize("seed", range(20))
def test_against_every_choice(seed):
    random = np.random.default_rng(seed)
    coarse, fine = random.uniform(0, 0.1, 8), random.uniform(0, 0.03, 8)
    added = random.integers(1, 14_000_000, 8)
    units = [
        unit(str(i), coarse[i], fine_kl=fine[i], coarse_bytes=0, fine_bytes=int(added[i]))
        for i in range(8)
    ]
    all_choices = [np.array(choice) for choice in product((0, 1), repeat=8)]
    kls = np.array([coarse.sum() - (coarse - fine) @ x for x in all_choices])
    sizes = np.array([added @ x for x in all_choices])
    budget, limit = int(added.sum() * 0.4), float(np.median(kls))
    assert propose(units, max_bytes=budget).expected_kl == pytest.approx(kls[sizes <= budget].min())
    assert propose(units, max_kl=limit).bytes == sizes[kls <= limit + 1e-9].min()


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
