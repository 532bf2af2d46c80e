"""Tables of groups against the float control, and of the measures more sensitive than WER."""

from typing import Any

from whisper_qat.report.evaluation.comparison_tables import (
    COMPARISON,
    MARGIN_MEANING,
    MARGIN_TITLE,
    P_VALUE,
    margin_cell,
)
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.row_tables import SYSTEM
from whisper_qat.report.evaluation.token_measures import AGREEMENT, CHANGED, KL, LOSS
from whisper_qat.report.render.printing import (
    listing,
    number,
    p_value,
    percent,
    percent_interval,
    plural,
    points_interval,
)
from whisper_qat.report.render.tables import Column, Results, Table, table

DECIMALS = 4  # of nats: a good int8 model has a KL of about 0.001
NAMES = {
    LOSS: "loss per token, nats",
    KL: "KL per token, nats",
    AGREEMENT: "same top token, points",
    CHANGED: "changed transcripts, points",
}
MEASURED = [
    Column(title="Loss per token", meaning="mean of −log p(token) in nats over the reference "
           "transcript, which the model is given token by token (teacher forcing)"),
    Column(title="KL per token", meaning="mean divergence KL(reference system || this system) of "
           "the token distributions, in nats; 0 means identical predictions"),
    Column(title="Same top token, %", meaning="share of tokens for which this system and its "
           "reference system give the highest probability to the same token"),
    Column(title="Changed transcripts, %", meaning="share of transcripts that differ from those of "
           "the reference system after normalisation"),
]  # fmt: skip


def group_tables(results: Results) -> list[Table]:
    """One table for all corpora together and, where there are several, one for each."""
    entries = results.get("group_summary") or []
    names = list(dict.fromkeys(entry["corpus"] for entry in entries))
    return [_group_table(results, name, [e for e in entries if e["corpus"] == name])
            for name in names]  # fmt: skip


def _group_table(results: Results, corpus: str, entries: list[dict[str, Any]]) -> Table:
    columns = [
        Column(title="Systems", meaning="a system, or all that differ only in their training seed",
               numeric=False),
        Column(title="Seeds", meaning="number of training seeds pooled"),
        Column(title="Method", meaning="as in the first table", numeric=False),
        Column(title="Weights", meaning="number format of most layers", numeric=False),
        Column(title="WER, %", meaning="word error rate pooled over the seeds"),
        Column(title="Δ WER vs. control, points", meaning="WER minus that of the float control, on "
               "the same clips and seeds"),
        Column(title="p", meaning="two-sided p value for the hypothesis that this difference is 0"),
        Column(title=MARGIN_TITLE, meaning=MARGIN_MEANING),
        *MEASURED,
        Column(title="Δ loss vs. control", meaning="loss per token minus that of the float "
               "control, in nats"),
        Column(title="p of Δ loss", meaning="two-sided p value for the hypothesis that the "
               "difference in loss is 0"),
    ]  # fmt: skip
    rows = [_group_row(results, entry) for entry in entries]
    title = f"Systems pooled over training seeds, {'all corpora' if corpus == ALL else corpus}"
    return table(title, columns, rows, _note(results, entries))


def _group_row(results: Results, entry: dict[str, Any]) -> list[str]:
    delta, loss = entry["delta"], entry["measure_deltas"][LOSS]
    wer = entry["wer"]
    return [
        entry["group"],
        str(len(entry["seeds"]) or ""),
        entry["made"],
        entry["scheme"] or "float32",
        percent_interval(wer["rate"], wer["low"], wer["high"]) if wer else "",
        points_interval(delta["delta"], delta["low"], delta["high"]) if delta else "",
        p_value(delta["p"]) if delta else "",
        margin_cell(results, delta) if delta else "",
        *measure_cells(entry["measures"]),
        _nats(loss, "delta", signed=True) if loss else "",
        p_value(loss["p"]) if loss else "",
    ]


def measure_cells(measures: dict[str, Any]) -> list[str]:
    """Cells of the columns MEASURED; empty where a measure was not taken."""
    loss, kl, same, changed = (measures[m] for m in (LOSS, KL, AGREEMENT, CHANGED))
    return [
        _nats(loss, "rate") if loss else "",
        _nats(kl, "rate") if kl else "",
        percent(same["rate"]) if same else "",
        percent_interval(changed["rate"], changed["low"], changed["high"]) if changed else "",
    ]


def _nats(found: dict[str, float], key: str, *, signed: bool = False) -> str:
    values = [number(found[k], DECIMALS) for k in (key, "low", "high")]
    if signed:
        values = [f"+{v}" if found[k] > 0 and float(v) != 0 else v
                  for v, k in zip(values, (key, "low", "high"), strict=True)]  # fmt: skip
    return f"{values[0]} [{values[1]}, {values[2]}]"


def _note(results: Results, entries: list[dict[str, Any]]) -> str:
    controls = sorted({entry["control"] for entry in entries if entry["control"]})
    words = max((entry["words"] for entry in entries), default=0)
    sample = f"Sample: {plural(words, 'word')}, normaliser {results['primary_normalizer']}."
    control = (
        f"Float control: {listing(controls)}." if controls else "No float control was measured."
    )
    return f"{sample} {control} {_references(results)}".strip()


def _references(results: Results) -> str:
    """The systems that KL is measured against, in words."""
    reference = (results.get("sensitive") or {}).get("reference") or {}
    names = sorted({name for row, name in reference.items() if name not in (None, row)})
    if not names:
        return ""
    return f"KL, top tokens and changed transcripts are measured against {listing(names)}."


def token_measures_table(results: Results, corpus: str) -> Table:
    """Every row that has any of these measures, on one corpus or on all."""
    columns = [
        SYSTEM,
        Column(title="Reference system", meaning="the system that KL, top tokens and changed "
               "transcripts are measured against", numeric=False),
        *MEASURED,
    ]  # fmt: skip
    measures = results.get("sensitive") or {"rows": [], "reference": {}}
    rows = [
        [r["row"], _other(measures["reference"].get(r["row"]), r["row"]), *measure_cells(r)]
        for r in measures["rows"]
        if r["corpus"] == corpus and any(measure_cells(r))
    ]
    name = "all corpora" if corpus == ALL else corpus
    return table(f"Loss, KL and changed transcripts of each system, {name}", columns, rows)


def _other(reference: str | None, row: str) -> str:
    return "" if reference is None else "itself" if reference == row else reference


def token_measure_comparisons_table(results: Results, corpus: str) -> Table:
    """Paired differences of these measures."""
    columns = [
        COMPARISON,
        Column(title="Kind", meaning="as in the comparisons of WER", numeric=False),
        Column(title="Measure", meaning="measure and its unit", numeric=False),
        Column(title="Δ", meaning="difference of the measure, from a paired bootstrap"),
        P_VALUE,
        Column(title="p Holm", meaning="p after the Holm correction for all comparisons of this "
               "measure in this table"),
    ]  # fmt: skip
    compared = (results.get("sensitive") or {"comparisons": []})["comparisons"]
    rows = [
        [
            f"{c['b']} − {c['a']}",
            c["kind"],
            NAMES[c["measure"]],
            _difference(c),
            p_value(c["p"]),
            p_value(c["p_holm"]),
        ]
        for c in compared
        if c["corpus"] == corpus and c["measure"] in (LOSS, KL, CHANGED)
    ]
    return table("Comparisons of loss, KL and changed transcripts", columns, rows)


def _difference(c: dict[str, Any]) -> str:
    if c["measure"] in (LOSS, KL):
        return _nats(c, "delta", signed=True)
    return points_interval(c["delta"], c["low"], c["high"])
