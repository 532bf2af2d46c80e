"""Tables of paired differences, and of the weight codes that QAT changed."""

from typing import Any

from whisper_qat.report.evaluation.claims import MIN_SEEDS
from whisper_qat.report.evaluation.comparisons import ALL, has_width
from whisper_qat.report.evaluation.shown_rows import UNTRAINED
from whisper_qat.report.render.printing import (
    count,
    listing,
    p_value,
    percent,
    plural,
    points,
    points_interval,
)
from whisper_qat.report.render.tables import Column, Results, Table, table

COMPARISON = Column(title="Comparison", meaning="first system minus second system", numeric=False)
P_VALUE = Column(title="p", meaning="two-sided p value for the hypothesis that the difference is 0")
MARGIN_TITLE = "Smallest provable margin, points"
MARGIN_MEANING = (
    "upper end of the interval, but not below 0: for the models measured here, the clips exclude a "
    "larger increase in WER; how much training runs vary is not included. A dash: no margin can be "
    f"derived, because fewer than {MIN_SEEDS} training runs were compared or the interval has no "
    "width"
)


def comparisons_table(results: Results, corpus: str, normalizer: str) -> Table:
    """Every comparison of WER on one corpus or on all, under one normaliser."""
    columns = [
        COMPARISON,
        Column(title="Kind", meaning="what the difference measures; see the next table",
               numeric=False),
        Column(title="Training", meaning="training seeds compared; empty where no seed is known"),
        Column(title="Δ WER, points", meaning="difference in WER from a paired bootstrap; negative "
               "if the first system is better"),
        P_VALUE,
        Column(title="p Holm", meaning="p after the Holm correction for all comparisons of this "
               "table"),
        Column(title=MARGIN_TITLE, meaning=MARGIN_MEANING),
        Column(title="Worse", meaning="transcripts with more word errors in the first system"),
        Column(title="Better", meaning="transcripts with fewer word errors in the first system"),
        Column(title="Not worse, %", meaning="share of transcripts that do not have more word "
               "errors in the first system"),
    ]  # fmt: skip
    scope = [
        c for c in results["comparisons"] if (c["corpus"], c["normalizer"]) == (corpus, normalizer)
    ]
    rows = [_comparison_row(results, c) for c in scope]
    where = "all corpora" if corpus == ALL else corpus
    title = f"Comparisons of WER, {where}, normaliser {normalizer}"
    return table(title, columns, rows, _sample_words(scope))


def _comparison_row(results: Results, c: dict[str, Any]) -> list[str]:
    return [
        f"{c['b']} − {c['a']}",
        c["kind"],
        _seeds(c["seeds"]),
        points_interval(c["delta"], c["low"], c["high"]),
        p_value(c["p"]),
        p_value(c["p_holm"]),
        margin_cell(results, c),
        count(c["regressions"]),
        count(c["improvements"]),
        percent(1 - c["regressions"] / c["transcripts"], 1),
    ]


def margin_cell(results: Results, c: dict[str, Any]) -> str:
    """The smallest provable margin; a dash where the comparison proves none.

    One or two training runs prove none, because they do not show how training runs vary. Models
    that were not trained have no such variation.
    """
    names = {name for member in c["members"] for name in (member["a"], member["b"])}
    trained = any(r["name"] in names and r["role"] not in UNTRAINED for r in results["rows"])
    few = trained and len(c["members"]) < MIN_SEEDS
    return percent(None if few or not has_width(c) else c["smallest_margin"])


def _seeds(seeds: list[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "".join(f"seed {seed}" for seed in seeds)


def _sample_words(scope: list[dict[str, Any]]) -> str:
    """The sample behind the intervals and the units that the bootstrap resampled."""
    if not scope:
        return ""
    sizes = sorted({(c["clips"], c["words"], c["blocks"], *c["block_unit"]) for c in scope})
    samples = [
        f"{plural(clips, 'clip')} with {plural(words, 'word')}, resampled as "
        f"{plural(blocks, ' or '.join(units))}"
        for clips, words, blocks, *units in sizes
    ]
    return (
        f"Sample: {listing(samples)}. For systems pooled over training seeds, the errors of a clip "
        "are summed over the seeds and the clip is resampled as one unit."
    )


def kinds_table(results: Results) -> Table:
    """What each kind of comparison measures."""
    used = {c["kind"] for c in results["comparisons"]}
    columns = [
        Column(title="Kind", meaning="", numeric=False),
        Column(title="What the difference measures", meaning="", numeric=False),
    ]
    rows = [[k, v] for k, v in results["comparison_kinds"].items() if k in used]
    return table("Kinds of comparison", columns, rows)


def seeds_table(results: Results) -> Table:
    """The difference for each training seed alone, for the pooled comparisons."""
    columns = [
        COMPARISON,
        Column(title="Seed", meaning="training seed of the trained systems"),
        Column(title="Δ WER, points", meaning="difference in WER for this seed alone"),
    ]
    rows = [
        [f"{c['b']} − {c['a']}", str(member["seed"]), points(member["delta"])]
        for c in results["comparisons"]
        if len(c["members"]) > 1
        and (c["corpus"], c["normalizer"]) == (ALL, results["primary_normalizer"])
        for member in c["members"]
    ]
    return table("Spread over training seeds", columns, rows)


def codes_table(results: Results) -> Table:
    """Share of weight codes that differ between QAT and PTQ of the base model or the control."""
    columns = [
        Column(title="System", meaning="the QAT system", numeric=False),
        Column(title="Compared with", meaning="the same layers after PTQ", numeric=False),
        Column(title="Layers", meaning="number of quantized layers compared"),
        Column(title="Codes", meaning="number of weight codes, the integers that are stored"),
        Column(title="Changed", meaning="number of codes that differ between the two systems"),
        Column(title="Share, %", meaning="share of codes that differ; 0 would mean that QAT did "
               "not change the model"),
    ]  # fmt: skip
    rows = [
        [
            entry["row"],
            entry["against"],
            count(entry["layers"]),
            count(entry["codes"]),
            count(entry["changed"]),
            percent(entry["share"]),
        ]
        for entry in results["codes_changed"]
    ]
    return table("Weight codes changed by training", columns, rows)
