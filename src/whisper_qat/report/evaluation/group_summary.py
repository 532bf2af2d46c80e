"""One entry for each group of rows: pooled WER and token measures, also against the float control.

The control of a group has the same audio context, runtime and base model; where there are several,
the one with the most training seeds is used. Differences are paired and pooled over seeds, as in
every comparison of the report.
"""

from typing import Any

from whisper_qat.metrics.wer import total
from whisper_qat.report.evaluation.comparisons import Tallies, compare, pooled_counts
from whisper_qat.report.evaluation.groups import Group, Pair, is_comparable
from whisper_qat.report.evaluation.rows import CONTROL, describe_method
from whisper_qat.report.evaluation.scores import rate
from whisper_qat.report.evaluation.token_measures import (
    MEASURES,
    TokenMeasures,
    compare_measure,
    measure_group,
    scopes,
)

TO_CONTROL = "to control"


def summarize_groups(
    groups: list[Group], corpora: list[str], tallies: Tallies, data: TokenMeasures
) -> list[dict[str, Any]]:
    """Every group on all corpora together and on each, in the order of the rows."""
    return [
        {"corpus": name} | _entry(group, groups, scope, tallies, data)
        for name, scope in scopes(corpora)
        for group in groups
    ]


def _entry(
    group: Group, groups: list[Group], corpora: list[str], tallies: Tallies, data: TokenMeasures
) -> dict[str, Any]:
    names = [row.name for row in group.rows]
    first = group.rows[0]
    control = control_of(group, groups)
    pair = control and Pair(kind=TO_CONTROL, a=control, b=group)
    deltas = {m: pair and compare_measure(pair, corpora, data, m) for m in MEASURES}
    counts, blocks = pooled_counts(names, corpora, tallies)
    return {
        "group": group.name,
        "rows": names,
        "seeds": [seed for seed in group.seeds if seed is not None],
        "role": group.role,
        "made": describe_method(first),
        "scheme": first.scheme,
        "control": control and control.name,
        "wer": rate(counts, blocks),
        "words": total(counts).words // len(names),
        "delta": pair and compare(pair, corpora, tallies),
        "measures": measure_group(names, corpora, data),
        "measure_deltas": deltas,
    }


def control_of(group: Group, groups: list[Group]) -> Group | None:
    """The float control of a group; None for a control itself and where none was measured."""
    if group.role == CONTROL:
        return None
    controls = [g for g in groups if g.role == CONTROL and is_comparable(g.rows[0], group.rows[0])]
    return max(controls, key=lambda g: len(set(g.seeds)), default=None)
