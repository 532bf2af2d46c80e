"""Tables of paired differences, and of the weight codes that QAT changed."""

from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
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


def comparisons_table(results: Results, corpus: str, normalizer: str) -> Table:
    """Every comparison on one corpus (or on all) under one normaliser."""
    columns = [
        Column(title="Comparison", meaning="first row minus second row", numeric=False),
        Column(title="Kind", meaning="what the difference stands for", numeric=False),
        Column(title="Training", meaning="training seeds compared; empty where no seed is known"),
        Column(title="Δ WER, points", meaning="paired bootstrap; below 0: the first row is better"),
        Column(title="p", meaning="two-sided, that the difference is 0"),
        Column(title="p Holm", meaning="p adjusted for all comparisons of this table"),
        Column(title="Smallest margin, points", meaning="the smallest non-inferiority margin that "
               "this sample can prove"),
        Column(title="Worse", meaning="transcripts with more word errors"),
        Column(title="Better", meaning="transcripts with fewer word errors"),
        Column(title="Not worse, %", meaning="share of transcripts without more word errors"),
    ]  # fmt: skip
    scope = [
        c for c in results["comparisons"] if (c["corpus"], c["normalizer"]) == (corpus, normalizer)
    ]
    rows = [_comparison_row(c) for c in scope]
    title = f"Comparisons, {corpus}, normaliser {normalizer}"
    return table(title, columns, rows, _sample_words(scope))


def _comparison_row(c: dict[str, Any]) -> list[str]:
    return [
        f"{c['b']} − {c['a']}",
        c["kind"],
        _seeds(c["seeds"]),
        points_interval(c["delta"], c["low"], c["high"]),
        p_value(c["p"]),
        p_value(c["p_holm"]),
        percent(c["smallest_margin"]),
        count(c["regressions"]),
        count(c["improvements"]),
        percent(1 - c["regressions"] / c["transcripts"], 1),
    ]


def _seeds(seeds: list[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "".join(f"seed {seed}" for seed in seeds)


def _sample_words(scope: list[dict[str, Any]]) -> str:
    """Size of the sample behind each interval and what the bootstrap drew."""
    if not scope:
        return ""
    sizes = sorted({(c["clips"], c["words"], c["blocks"], *c["block_unit"]) for c in scope})
    said = [
        f"{plural(clips, 'clip')}, {plural(words, 'word')}, drawn as "
        f"{plural(blocks, '/'.join(unit))}"
        for clips, words, blocks, *unit in sizes
    ]
    return f"{listing(said)}. Pooled over seeds, a clip stays one draw with its counts summed."


def kinds_table(results: Results) -> Table:
    """What each kind of comparison stands for."""
    used = {c["kind"] for c in results["comparisons"]}
    columns = [
        Column(title="Kind", meaning="", numeric=False),
        Column(title="Stands for", meaning="", numeric=False),
    ]
    rows = [[k, v] for k, v in results["comparison_kinds"].items() if k in used]
    return table("Kinds of comparison", columns, rows)


def seeds_table(results: Results) -> Table:
    """Delta of each training seed alone, for the pooled comparisons."""
    columns = [
        Column(title="Comparison", meaning="first row minus second row", numeric=False),
        Column(title="Seed", meaning="training seed of both rows"),
        Column(title="Δ WER, points", meaning="difference of this seed alone, without interval"),
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
    """Share of weight codes that differ between QAT and the PTQ of its start or control."""
    columns = [
        Column(title="Row", meaning="the QAT row", numeric=False),
        Column(title="Against", meaning="the PTQ row it is compared with", numeric=False),
        Column(title="Layers", meaning="quantized layers compared"),
        Column(title="Codes", meaning="integer weights compared"),
        Column(title="Changed", meaning="integer weights that differ"),
        Column(title="Share, %", meaning="changed / codes; 0 would mean that QAT did nothing"),
    ]
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
