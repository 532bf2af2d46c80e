"""Tables of groups against the float control, and of the sensitive measures beside WER."""

from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
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

DECIMALS = 4  # nats: a good int8 has a KL of about 0.001
NAMES = {
    LOSS: "loss per token, nats",
    KL: "KL per token, nats",
    AGREEMENT: "same top token, points",
    CHANGED: "changed transcripts, points",
}
MEASURED = [
    Column(title="Loss per token", meaning="teacher-forced: mean of -log p(token) over the "
           "reference text and its end, in nats, with interval"),
    Column(title="KL per token", meaning="mean KL(reference row || this row) over the same tokens, "
           "in nats, with interval"),
    Column(title="Same top token, %", meaning="tokens at which both find the same one likeliest"),
    Column(title="Changed transcripts, %", meaning="transcripts that differ from the reference "
           "row's after normalisation, with interval"),
]  # fmt: skip


def group_tables(results: Results) -> list[Table]:
    """One table for all corpora together and, where there are several, one for each."""
    entries = results.get("group_summary") or []
    names = list(dict.fromkeys(entry["corpus"] for entry in entries))
    return [_group_table(results, name, [e for e in entries if e["corpus"] == name])
            for name in names]  # fmt: skip


def _group_table(results: Results, corpus: str, entries: list[dict[str, Any]]) -> Table:
    columns = [
        Column(title="Group", meaning="rows of one making, pooled over training seeds",
               numeric=False),
        Column(title="Seeds", meaning="training seeds pooled"),
        Column(title="Made by", meaning="as in the first table", numeric=False),
        Column(title="Weights", meaning="schemes of most layers", numeric=False),
        Column(title="WER, %", meaning="pooled word errors per reference word, with interval"),
        Column(title="Δ WER to control, points", meaning="group minus float control, paired"),
        Column(title="p", meaning="two-sided, that this difference is 0"),
        Column(title="Smallest margin", meaning="points of WER: the smallest non-inferiority "
               "margin that this sample can prove"),
        *MEASURED,
        Column(title="Δ loss to control", meaning="difference of the mean loss, nats, paired"),
        Column(title="p of Δ loss", meaning="two-sided, that this difference is 0"),
    ]  # fmt: skip
    rows = [_group_row(entry) for entry in entries]
    title = "Groups, all corpora" if corpus == ALL else f"Groups, {corpus}"
    return table(title, columns, rows, _note(results, entries))


def _group_row(entry: dict[str, Any]) -> list[str]:
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
        percent(delta["smallest_margin"]) if delta else "",
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
    said = f"{plural(words, 'word')}, normaliser {results['primary_normalizer']}. "
    said += f"Control: {listing(controls)}." if controls else "No float control was measured."
    return f"{said} {_references(results)}".strip()


def _references(results: Results) -> str:
    """What KL is taken to, in words."""
    reference = (results.get("sensitive") or {}).get("reference") or {}
    names = sorted({name for row, name in reference.items() if name not in (None, row)})
    return f"KL and changed transcripts are taken to {listing(names)}." if names else ""


def sensitive_table(results: Results, corpus: str) -> Table:
    """Every row with the measures beside WER, on one corpus or on all."""
    columns = [
        Column(title="Row", meaning="name of the measured model", numeric=False),
        Column(title="Reference row", meaning="what KL and changes are taken to", numeric=False),
        *MEASURED,
    ]
    sensitive = results.get("sensitive") or {"rows": [], "reference": {}}
    rows = [
        [r["row"], _other(sensitive["reference"].get(r["row"]), r["row"]), *measure_cells(r)]
        for r in sensitive["rows"]
        if r["corpus"] == corpus
    ]
    name = "all corpora" if corpus == ALL else corpus
    return table(f"Loss, KL and changed transcripts of each row, {name}", columns, rows)


def _other(reference: str | None, row: str) -> str:
    return "" if reference is None else "itself" if reference == row else reference


def sensitive_comparisons_table(results: Results, corpus: str) -> Table:
    """Paired differences of the measures beside WER."""
    columns = [
        Column(title="Comparison", meaning="first row minus second row", numeric=False),
        Column(title="Kind", meaning="as in the table of WER", numeric=False),
        Column(title="Measure", meaning="what differs", numeric=False),
        Column(title="Δ", meaning="paired bootstrap, with interval"),
        Column(title="p", meaning="two-sided, that the difference is 0"),
        Column(title="p Holm", meaning="p adjusted for all comparisons of this measure here"),
    ]
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
