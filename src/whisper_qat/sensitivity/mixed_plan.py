"""Mixed plans: choose the parts that get the finer scheme, by measured sensitivity and a budget.

The choice of units is a 0/1 knapsack problem, solved exactly (scipy's milp). Taking the best KL per
byte first is not enough, because small units then use up the room that a large and worthwhile one
(the token table) needs. The expected KL is the sum of the units' own, which ignores interactions;
the caller should measure the whole plan afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A part with its costs in the coarse and the fine scheme: KL (nats per token) and bytes."""

    name: str
    pattern: str
    coarse_kl: float
    fine_kl: float
    coarse_bytes: int
    fine_bytes: int

    @property
    def gain(self) -> float:
        """KL avoided per byte added; infinite when no bytes are added."""
        added = self.fine_bytes - self.coarse_bytes
        avoided = self.coarse_kl - self.fine_kl
        return avoided / added if added > 0 else float("inf")


@dataclass(frozen=True)
class Proposal:
    """A proposed choice: names of the fine units, total bytes of all units, and expected KL.

    `fine` is ordered by KL per byte, best first.
    """

    fine: tuple[str, ...]
    bytes: int
    expected_kl: float


def propose(
    units: Sequence[Unit], *, max_bytes: int | None = None, max_kl: float | None = None
) -> Proposal:
    """Choose the fine units under exactly one budget, `max_bytes` or `max_kl`.

    Minimizes the expected KL within `max_bytes` of all units, or the bytes within an expected
    `max_kl`. Raises ValueError when even the all-coarse plan exceeds `max_bytes`, or the best
    possible one exceeds `max_kl`.
    """
    assert max_bytes is None or max_kl is None
    units = sorted(units, key=lambda unit: unit.gain, reverse=True)
    size, kl = sum(unit.coarse_bytes for unit in units), sum(unit.coarse_kl for unit in units)
    added = np.array([unit.fine_bytes - unit.coarse_bytes for unit in units])
    avoided = np.array([unit.coarse_kl - unit.fine_kl for unit in units])
    # Units that gain nothing stay coarse; those that gain without extra bytes are always fine.
    bounds = Bounds((avoided > 0) & (added <= 0), avoided > 0)
    if max_bytes is not None:
        if size > max_bytes:
            raise ValueError(f"{size} bytes with every part coarse, the budget is {max_bytes}")
        chosen = _solve(-avoided, LinearConstraint(added, ub=max_bytes - size), bounds)
    else:
        assert max_kl is not None
        least = kl - avoided[avoided > 0].sum()
        if least > max_kl:
            message = f"expected KL {least:.4g} with every part fine, the budget is {max_kl:.4g}"
            raise ValueError(message)
        chosen = _solve(added, LinearConstraint(avoided, lb=kl - max_kl), bounds)
    fine = tuple(unit.name for unit, one in zip(units, chosen, strict=True) if one)
    return Proposal(fine, size + int(added @ chosen), float(kl - avoided @ chosen))


def _solve(cost: np.ndarray, limit: LinearConstraint, bounds: Bounds) -> np.ndarray:
    """Return the 0/1 vector of least `cost`; the caller has checked that one exists."""
    scale = np.abs(cost).max() or 1.0  # KLs are far below 1, near the solver's tolerances
    found = milp(cost / scale, integrality=1, bounds=bounds, constraints=limit,
                 options={"mip_rel_gap": 0})  # fmt: skip
    assert found.success, found.message
    return np.rint(found.x).astype(int)
