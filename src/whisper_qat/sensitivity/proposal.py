"""Proposes a mixed plan: chooses between a coarse and a fine scheme per part, and writes rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import STORED, TOKEN_TABLE, Rule
from whisper_qat.quant.scheme import FLOAT16, Scheme
from whisper_qat.sensitivity.mixed_plan import Proposal, Unit, propose
from whisper_qat.sensitivity.parts import Part

HALF_BYTES = 2


@dataclass(frozen=True)
class Budget:
    """The limit of a proposal: either a share of the float32 size or a KL in nats per token."""

    size: float | None
    kl: float | None


def choose(units: Sequence[Unit], budget: Budget, *, fp32_bytes: int, rest_bytes: int) -> Proposal:
    """Choose the units to make fine; InputError when the budget cannot be met.

    `rest_bytes` is the size of everything else in the file: norms, biases, convolutions, positions.
    """
    try:
        if budget.kl is not None:
            return propose(units, max_kl=budget.kl)
        assert budget.size is not None
        return propose(units, max_bytes=int(budget.size * fp32_bytes) - rest_bytes)
    except ValueError as error:
        raise InputError(f"--propose: the budget cannot be met ({error})") from None


def rules(
    proposal: Proposal, units: Sequence[Unit], schemes: tuple[Scheme, Scheme],
    of_table: tuple[Scheme, Scheme],
) -> list[Rule]:  # fmt: skip
    """Write the proposal as ordered rules; `schemes` and `of_table` are (coarse, fine)."""
    table = re.escape(TOKEN_TABLE)
    by_name = {unit.name: unit for unit in units}
    made = [
        Rule(
            pattern="|".join(map(re.escape, STORED)), scheme=FLOAT16,
            why="convolutions and positions: products in float32",
        )
    ]  # fmt: skip
    for name in proposal.fine:
        unit = by_name[name]
        scheme = of_table[1] if unit.pattern == table else schemes[1]
        why = f"{name}: KL {unit.coarse_kl:.2e} when coarse, {unit.fine_kl:.2e} when finer"
        made.append(Rule(pattern=unit.pattern, scheme=scheme.name, why=why))
    if table not in [rule.pattern for rule in made]:
        made.append(Rule(pattern=table, scheme=of_table[0].name, why="token table and head"))
    return [*made, Rule(pattern=".*", scheme=schemes[0].name, why="the rest")]


def facts(
    proposal: Proposal, measured: dict[str, float], fp32_bytes: int, rest: int
) -> dict[str, Any]:
    """Summarize a proposal for its output folder: expected and measured effect, and size."""
    return {
        "fine": list(proposal.fine), "expected_kl": proposal.expected_kl,
        "measured_kl": measured["kl"], "measured_delta_loss": measured["delta_loss"],
        "bytes": proposal.bytes + rest, "share_of_fp32": (proposal.bytes + rest) / fp32_bytes,
    }  # fmt: skip


def table_as_one(parts: Sequence[Part]) -> list[Part]:
    """Merge the two uses of the token table into one part, as a plan cannot separate them."""
    uses = [part for part in parts if part.pattern == re.escape(TOKEN_TABLE)]
    rest = [part for part in parts if part not in uses]
    layers = tuple(name for part in uses for name in part.layers)
    return [*rest, Part("token table and head", uses[0].pattern, layers)]
