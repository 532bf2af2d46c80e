"""Groups of rows that differ only in their training seed, and the pairs of groups to compare.

Rows are distinguished by their records: role, scheme, plan and PTQ method. Where these and the seed
are equal, as for two training recipes, the names without their seeds (`lsq-s0`, `lsq-s1`) decide.

The cost of quantization is measured only between rows of the same audio context, runtime and base
model; anything else would mix a second difference into the first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat

from whisper_qat.report.evaluation.rows import (
    BASE_FLOAT,
    BASE_PTQ,
    CONTROL,
    CONTROL_PTQ,
    QAT,
    EvaluatedSystem,
)

QUANTIZATION, QAT_EFFECT, ADAPTATION = "quantization", "QAT effect", "adaptation"
TRAINING, TOTAL, CONTEXT, RUNTIME = "training", "total", "audio context", "runtime"
MIXED = "mixed"
KIND_WORDS = {
    QUANTIZATION: "a quantized system against the float system of the same training: the cost of "
    "quantization",
    QAT_EFFECT: "QAT against PTQ of the float control: the effect of QAT itself",
    ADAPTATION: "QAT against PTQ of the base model: the effect of training on this data with QAT",
    TRAINING: "the float control against the base model: the effect of training on this data "
    "without quantization",
    TOTAL: "any other comparison with the baseline: training and quantization together",
    CONTEXT: "the same model with a different audio context",
    RUNTIME: "the same model on a different runtime",
    MIXED: "a different model with another audio context than the baseline: the difference that a "
    "user sees, which is not the cost of quantization",
}


POOLED = {CONTROL: "float control", CONTROL_PTQ: "control PTQ", QAT: "QAT"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that differ only in their training seed; a group of one row has that row's name."""

    name: str
    rows: list[EvaluatedSystem]

    @property
    def role(self) -> str:
        """Role of the group, shared by all its rows."""
        return self.rows[0].role

    @property
    def seeds(self) -> list[int | None]:
        """Training seed of each row; None where it is not recorded."""
        return [row.training_seed for row in self.rows]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Group ``b`` compared with ``a``: delta = rate(b) - rate(a); a negative one favours b."""

    kind: str
    a: Group
    b: Group


def group_rows(rows: list[EvaluatedSystem]) -> list[Group]:
    """Pool rows that differ only in their training seed; every other row is a group of its own."""
    pools: dict[tuple[object, ...], list[EvaluatedSystem]] = {}
    for row in rows:
        setting = (row.context, row.runtime, row.base_model)
        recipe = (row.role, row.quantization_type, row.scheme, row.plan, row.ptq_method)
        pools.setdefault((setting, recipe), []).append(row)
    groups = [group for pool in pools.values() for group in _pool(pool)]
    return [_unique(group, groups) for group in groups]


def _pool(rows: list[EvaluatedSystem]) -> list[Group]:
    seeds = {row.training_seed for row in rows}
    alone = [Group(name=row.name, rows=[row]) for row in rows]
    if len(rows) == 1 or rows[0].role not in POOLED or None in seeds:
        return alone
    if len(seeds) == len(rows):
        return [Group(name=f"{_pool_name(rows)} ({len(rows)} seeds)", rows=rows)]
    recipes: dict[str, list[EvaluatedSystem]] = {}
    for row in rows:
        recipes.setdefault(stem(row), []).append(row)
    return alone if len(recipes) == 1 else [g for recipe in recipes.values() for g in _pool(recipe)]


def stem(row: EvaluatedSystem) -> str:
    """The row's name without its training seed: `int4-s2` and `int4-seed2` become `int4`."""
    return re.sub(rf"(?<=.)[-_.](?:s|seed)?{row.training_seed}$", "", row.name)


def _pool_name(rows: list[EvaluatedSystem]) -> str:
    stems = {stem(row) for row in rows}
    if len(stems) == 1:
        return stems.pop()
    first = rows[0]
    weights = first.scheme or first.quantization_type
    parts = [POOLED[first.role], "" if weights == "none" else weights, first.ptq_method or ""]
    return " ".join(part for part in parts if part)


def _unique(group: Group, groups: list[Group]) -> Group:
    """The group under a unique name, because comparisons are looked up by it."""
    same = [other for other in groups if other.name == group.name]
    return group if len(same) == 1 else replace(group, name=f"{group.name}, {group.rows[0].name}")


def is_comparable(a: EvaluatedSystem, b: EvaluatedSystem) -> bool:
    """Whether two rows share audio context, runtime and base model."""
    return a.context == b.context and a.runtime == b.runtime and same_model(a, b)


def same_model(a: EvaluatedSystem, b: EvaluatedSystem) -> bool:
    """Whether two rows have the same base model, by name or fingerprint; an unknown one matches."""
    if not any(a.base_model) or not any(b.base_model):
        return True
    return any(x is not None and x == y for x, y in zip(a.base_model, b.base_model, strict=True))


def pairs(groups: list[Group], baseline: str | None) -> list[Pair]:
    """All comparisons of the report, each pair of groups once, sorted by kind."""
    found = [p for g in groups for p in _pairs_of(g, groups, baseline)]
    unique: dict[tuple[str, str], Pair] = {}
    for pair in found:
        unique.setdefault((pair.a.name, pair.b.name), pair)
    order = list(KIND_WORDS)
    return sorted(unique.values(), key=lambda pair: order.index(pair.kind))


def _pairs_of(group: Group, groups: list[Group], baseline: str | None) -> list[Pair]:
    compared_with = {
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
        Pair(kind=kind, a=a, b=group)
        for kind, role in compared_with
        for a in _counterparts(group, groups, role)
    ]
    start = next((g for g in groups if baseline in {row.name for row in g.rows}), None)
    if start is not None and start is not group:
        found.append(
            Pair(kind=_kind_against_baseline(start.rows[0], group.rows[0]), a=start, b=group)
        )
    return found


def _counterparts(group: Group, groups: list[Group], role: str) -> list[Group]:
    """The groups of a role that differ from ``group`` only in training and quantization."""
    mine = group.rows[0]
    quantized = (mine.quantization_type, mine.grid)
    return [
        other
        for other in groups
        if other.role == role
        and is_comparable(other.rows[0], mine)
        and (
            other.rows[0].quantization_type == "none"
            or (other.rows[0].quantization_type, other.rows[0].grid) == quantized
        )
    ]


def _kind_against_baseline(start: EvaluatedSystem, row: EvaluatedSystem) -> str:
    """Kind of the comparison of a row with the baseline."""
    recipe = (start.role, start.quantization_type, start.scheme)
    same = recipe == (row.role, row.quantization_type, row.scheme) and same_model(start, row)
    if start.context != row.context:
        return CONTEXT if same and start.runtime == row.runtime else MIXED
    return RUNTIME if same and start.runtime != row.runtime else TOTAL


def members(pair: Pair) -> list[tuple[EvaluatedSystem, EvaluatedSystem]]:
    """Pairs of rows to compare: rows of equal seeds, else a single row with each of the others."""
    by_seed = {row.training_seed: row for row in pair.a.rows}
    same = [
        (by_seed[row.training_seed], row) for row in pair.b.rows if row.training_seed in by_seed
    ]
    if same:
        return same
    sides: tuple[Iterable[EvaluatedSystem], Iterable[EvaluatedSystem]] = (pair.a.rows, pair.b.rows)
    if len(pair.a.rows) == 1:
        sides = (repeat(pair.a.rows[0]), pair.b.rows)
    elif len(pair.b.rows) == 1:
        sides = (pair.a.rows, repeat(pair.b.rows[0]))
    return list(zip(*sides, strict=False))
