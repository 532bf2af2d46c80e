"""Rows that differ only in their training seed, pooled; and which rows an argument compares.

Rows are told apart by their records: role, scheme, plan and method of PTQ. Where these and the seed
are equal, as in two recipes of training, the names without their seeds (`lsq-s0`, `lsq-s1`) decide.

Quantization deltas compare rows of the same audio context, runtime and base model only: anything
else would add that difference to the one that is meant.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat

from whisper_qat.report.evaluation.rows import BASE_FLOAT, BASE_PTQ, CONTROL, CONTROL_PTQ, QAT, Row

QUANTIZATION, QAT_EFFECT, ADAPTATION = "quantization", "QAT effect", "adaptation"
TRAINING, TOTAL, CONTEXT, RUNTIME = "training", "total", "audio context", "runtime"
MIXED = "mixed"
KIND_WORDS = {
    QUANTIZATION: "a quantized row against the float row of the same training",
    QAT_EFFECT: "QAT against the float control quantized afterwards: what QAT itself adds",
    ADAPTATION: "QAT against the base model quantized: what training on this data adds, with QAT",
    TRAINING: "float control against the base model: what training on this data adds, without QAT",
    TOTAL: "any other difference to the baseline: training and quantization together",
    CONTEXT: "the same model heard with a different audio context",
    RUNTIME: "the same model on a different runtime",
    MIXED: "another model heard with another audio context than the baseline: what a user would "
    "notice, not what quantization costs",
}


POOLED = {CONTROL: "float control", CONTROL_PTQ: "control PTQ", QAT: "QAT"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows made the same way, one per training seed; ``name`` of a single row is the row's own."""

    name: str
    rows: list[Row]

    @property
    def role(self) -> str:
        """Shared by all members."""
        return self.rows[0].role

    @property
    def seeds(self) -> list[int | None]:
        """Training seed of each member; None where the row does not say."""
        return [row.training_seed for row in self.rows]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """``b`` compared with ``a``: delta = rate(b) - rate(a), so negative means b is better."""

    kind: str
    a: Group
    b: Group


def group_rows(rows: list[Row]) -> list[Group]:
    """Pool rows of one making with distinct training seeds; every other row stays alone."""
    pools: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        setting = (row.context, row.runtime, row.base_model)
        made = (row.role, row.quantization_type, row.scheme, row.plan, row.ptq_method)
        pools.setdefault((setting, made), []).append(row)
    groups = [group for pool in pools.values() for group in _pool(pool)]
    return [_unique(group, groups) for group in groups]


def _pool(rows: list[Row]) -> list[Group]:
    seeds = {row.training_seed for row in rows}
    alone = [Group(name=row.name, rows=[row]) for row in rows]
    if len(rows) == 1 or rows[0].role not in POOLED or None in seeds:
        return alone
    if len(seeds) == len(rows):
        return [Group(name=f"{_pool_name(rows)} ({len(rows)} seeds)", rows=rows)]
    recipes: dict[str, list[Row]] = {}
    for row in rows:
        recipes.setdefault(stem(row), []).append(row)
    return alone if len(recipes) == 1 else [g for recipe in recipes.values() for g in _pool(recipe)]


def stem(row: Row) -> str:
    """A row's name without its training seed: `int4-s2` and `int4-seed2` of seed 2 are `int4`."""
    return re.sub(rf"(?<=.)[-_.](?:s|seed)?{row.training_seed}$", "", row.name)


def _pool_name(rows: list[Row]) -> str:
    stems = {stem(row) for row in rows}
    if len(stems) == 1:
        return stems.pop()
    first = rows[0]
    weights = first.scheme or first.quantization_type
    made = [POOLED[first.role], "" if weights == "none" else weights, first.ptq_method or ""]
    return " ".join(word for word in made if word)


def _unique(group: Group, groups: list[Group]) -> Group:
    """A group under a name of its own: comparisons are found by it."""
    same = [other for other in groups if other.name == group.name]
    return group if len(same) == 1 else replace(group, name=f"{group.name}, {group.rows[0].name}")


def alike(a: Row, b: Row) -> bool:
    """What two rows must share for their difference to mean one thing."""
    return a.context == b.context and a.runtime == b.runtime and same_model(a, b)


def same_model(a: Row, b: Row) -> bool:
    """Whether two rows descend from one base model, by fingerprint or name; unknown fits any."""
    if not any(a.base_model) or not any(b.base_model):
        return True
    return any(x is not None and x == y for x, y in zip(a.base_model, b.base_model, strict=True))


def pairs(groups: list[Group], baseline: str | None) -> list[Pair]:
    """All comparisons of the report, each pair of groups once, in the order of the argument."""
    found = [p for g in groups for p in _pairs_of(g, groups, baseline)]
    unique: dict[tuple[str, str], Pair] = {}
    for pair in found:
        unique.setdefault((pair.a.name, pair.b.name), pair)
    order = list(KIND_WORDS)
    return sorted(unique.values(), key=lambda pair: order.index(pair.kind))


def _pairs_of(group: Group, groups: list[Group], baseline: str | None) -> list[Pair]:
    wanted = {
        BASE_FLOAT: [],
        BASE_PTQ: [(QUANTIZATION, BASE_FLOAT)],
        CONTROL: [(TRAINING, BASE_FLOAT)],
        CONTROL_PTQ: [(QUANTIZATION, CONTROL), (TOTAL, BASE_FLOAT)],
        QAT: [
            (QUANTIZATION, CONTROL),
            (QAT_EFFECT, CONTROL_PTQ),
            (ADAPTATION, BASE_PTQ),
            (TOTAL, BASE_FLOAT),
        ],
    }[group.role]
    found = [
        Pair(kind=kind, a=a, b=group) for kind, role in wanted for a in _like(group, groups, role)
    ]
    start = next((g for g in groups if baseline in {row.name for row in g.rows}), None)
    if start is not None and start is not group:
        found.append(Pair(kind=_against_baseline(start.rows[0], group.rows[0]), a=start, b=group))
    return found


def _like(group: Group, groups: list[Group], role: str) -> list[Group]:
    """The groups of a role that differ from ``group`` in nothing but how they were made."""
    mine = group.rows[0]
    quantized = (mine.quantization_type, mine.grid)
    return [
        other
        for other in groups
        if other.role == role
        and alike(other.rows[0], mine)
        and (
            other.rows[0].quantization_type == "none"
            or (other.rows[0].quantization_type, other.rows[0].grid) == quantized
        )
    ]


def _against_baseline(start: Row, row: Row) -> str:
    """Kind of a comparison with the baseline."""
    made = (start.role, start.quantization_type, start.scheme)
    same = made == (row.role, row.quantization_type, row.scheme) and same_model(start, row)
    if start.context != row.context:
        return CONTEXT if same and start.runtime == row.runtime else MIXED
    return RUNTIME if same and start.runtime != row.runtime else TOTAL


def members(pair: Pair) -> list[tuple[Row, Row]]:
    """Rows to compare one with one: equal seeds where there are any, else a single row repeated."""
    by_seed = {row.training_seed: row for row in pair.a.rows}
    same = [
        (by_seed[row.training_seed], row) for row in pair.b.rows if row.training_seed in by_seed
    ]
    if same:
        return same
    sides: tuple[Iterable[Row], Iterable[Row]] = (pair.a.rows, pair.b.rows)
    if len(pair.a.rows) == 1:
        sides = (repeat(pair.a.rows[0]), pair.b.rows)
    elif len(pair.b.rows) == 1:
        sides = (pair.a.rows, repeat(pair.b.rows[0]))
    return list(zip(*sides, strict=False))
