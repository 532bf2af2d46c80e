"""Mixed plans: which parts get the finer scheme, from measured sensitivities, under a budget.

Which units to make finer is a 0/1 knapsack, solved exactly (scipy's milp): the best KL per byte
first is not enough, because small units then use up the room that a large and good one (the token
table) needs. The KL expected is the sum of the units' own, which ignores how they interact; whoever
proposes a plan measures it whole afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A part with its costs: KL (nats per token) and bytes, coarse and fine."""

    name: str
    pattern: str
    coarse_kl: float
    fine_kl: float
    coarse_bytes: int
    fine_bytes: int

    @property
    def gain(self) -> float:
        """KL avoided per byte added; what costs no byte comes first."""
        added = self.fine_bytes - self.coarse_bytes
        avoided = self.coarse_kl - self.fine_kl
        return avoided / added if added > 0 else float("inf")


@dataclass(frozen=True)
class Proposal:
    """`fine`: units by name, the best KL per byte first; bytes of all units; the KL expected."""

    fine: tuple[str, ...]
    bytes: int
    expected_kl: float


def propose(
    units: Sequence[Unit], *, max_bytes: int | None = None, max_kl: float | None = None
) -> Proposal:
    """Under exactly one budget: least KL within `max_bytes` of all units, or fewest bytes within
    an expected `max_kl`.

    Raises ValueError when everything coarse is already over `max_bytes`, or everything fine over
    `max_kl`.
    """
    assert max_bytes is None or max_kl is None
    units = sorted(units, key=lambda unit: unit.gain, reverse=True)
    size, kl = sum(unit.coarse_bytes for unit in units), sum(unit.coarse_kl for unit in units)
    added = np.array([unit.fine_bytes - unit.coarse_bytes for unit in units])
    avoided = np.array([unit.coarse_kl - unit.fine_kl for unit in units])
    # What is no better fine stays coarse; what is better and costs nothing is fine in every plan.
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
    """The 0/1 vector of least `cost`; the caller has seen that there is one."""
    scale = np.abs(cost).max() or 1.0  # KLs are far below 1, where a solver's tolerances are
    found = milp(cost / scale, integrality=1, bounds=bounds, constraints=limit,
                 options={"mip_rel_gap": 0})  # fmt: skip
    assert found.success, found.message
    return np.rint(found.x).astype(int)
