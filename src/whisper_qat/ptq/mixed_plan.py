"""Mixed plans: which parts get the finer scheme, from measured sensitivities, under a budget.

Every unit starts coarse. Units are made finer in the order of KL avoided per byte added, until the
size budget is spent or the expected KL is within the loss budget. Expected means: the units' own
KLs added up, which ignores how they interact; whoever proposes a plan measures it whole afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass


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
    """`fine`: units by name in the order of choice; bytes of all units; the KL expected."""

    fine: tuple[str, ...]
    bytes: int
    expected_kl: float


def propose(
    units: Sequence[Unit], *, max_bytes: int | None = None, max_kl: float | None = None
) -> Proposal:
    """The plan under exactly one budget: `max_bytes` of all units, or `max_kl` expected.

    Raises ValueError when everything coarse is already over `max_bytes`, or everything fine over
    `max_kl`.
    """
    assert (max_bytes is None) != (max_kl is None)
    size = sum(unit.coarse_bytes for unit in units)
    kl = sum(unit.coarse_kl for unit in units)
    if max_bytes is not None and size > max_bytes:
        raise ValueError(f"{size} bytes with every part coarse, the budget is {max_bytes}")
    fine = []
    for unit in sorted(units, key=lambda unit: unit.gain, reverse=True):
        if max_kl is not None and kl <= max_kl:
            break
        added = unit.fine_bytes - unit.coarse_bytes
        fits = max_bytes is None or size + added <= max_bytes
        if fits and unit.gain > 0:
            fine.append(unit.name)
            size, kl = size + added, kl - unit.coarse_kl + unit.fine_kl
    if max_kl is not None and kl > max_kl:
        raise ValueError(f"expected KL {kl:.4g} with every part fine, the budget is {max_kl:.4g}")
    return Proposal(tuple(fine), size, kl)
