"""One line for each group of rows: pooled WER and sensitive measures, also against the control.

The control is the float control with the group's audio context, runtime and base model, the one of
most training seeds where there are several. Differences are paired and pooled over seeds, as in
every comparison of the report.
"""

from typing import Any

from whisper_qat.metrics.wer import total
from whisper_qat.report.evaluation.comparisons import Tallies, compare, pooled_counts
from whisper_qat.report.evaluation.groups import Group, Pair, alike
from whisper_qat.report.evaluation.rows import CONTROL, describe_making
from whisper_qat.report.evaluation.scores import rate
from whisper_qat.report.evaluation.token_measures import (
    MEASURES,
    Sensitive,
    compare_measure,
    measure_group,
    scopes,
)

TO_CONTROL = "to control"


def summarize_groups(
    groups: list[Group], corpora: list[str], tallies: Tallies, data: Sensitive
) -> list[dict[str, Any]]:
    """Every group on all corpora together and on each, in the order of the rows."""
    return [
        {"corpus": name} | _entry(group, groups, scope, tallies, data)
        for name, scope in scopes(corpora)
        for group in groups
    ]


def _entry(
    group: Group, groups: list[Group], corpora: list[str], tallies: Tallies, data: Sensitive
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
        "made": describe_making(first),
        "scheme": first.scheme,
        "control": control and control.name,
        "wer": rate(counts, blocks),
        "words": total(counts).words // len(names),
        "delta": pair and compare(pair, corpora, tallies),
        "measures": measure_group(names, corpora, data),
        "measure_deltas": deltas,
    }


def control_of(group: Group, groups: list[Group]) -> Group | None:
    """The float control that a group is compared with; None for a control, or without one."""
    if group.role == CONTROL:
        return None
    controls = [g for g in groups if g.role == CONTROL and alike(g.rows[0], group.rows[0])]
    return max(controls, key=lambda g: len(set(g.seeds)), default=None)
