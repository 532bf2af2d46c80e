"""Tables with one line per measured row: headline, accuracy, kinds of error, cost, the mission's.

All percentages are of reference words (WER) or characters (CER); all intervals are 95 %.
"""

from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.groups import CONTEXT, MIXED, RUNTIME
from whisper_qat.report.evaluation.latency import MIN_DURATION_S
from whisper_qat.report.render.printing import (
    count,
    megabytes,
    number,
    percent,
    points,
    points_interval,
)
from whisper_qat.report.render.tables import (
    Column,
    Results,
    Table,
    find_score,
    find_speed,
    rate_cell,
    table,
)

ROW = Column(title="Row", meaning="name of the measured model", numeric=False)
RUNTIMES = {"onnxruntime": "ONNX Runtime", "torch": "PyTorch (not ONNX)"}


def weights_words(row: dict[str, Any]) -> str:
    """The weights in words: their scheme, or float."""
    if row["quantization_type"] == "none":
        return "float32"
    return str(row.get("scheme") or row["quantization_type"])


def headline_table(results: Results) -> Table:
    """The first table: what each row is, how often it errs, what it costs."""
    columns = [
        ROW,
        Column(title="WER, %", meaning="word errors per reference word, with interval"),
        Column(title="Δ WER to baseline, points", meaning="row minus baseline on the same clips; "
               "empty where a different context would mix in"),
        Column(title="CER, %", meaning="character errors per reference character"),
        Column(title="Size, MB", meaning="all model files, 10^6 bytes"),
        Column(title="RTFx", meaning="seconds of audio per second of work"),
        Column(title="Made by", meaning="base = as published; control = fine-tuned in float on "
               "the same data; PTQ = quantized afterwards; QAT = trained quantized", numeric=False),
        Column(title="Weights", meaning="number format of the weights", numeric=False),
        Column(title="Context", meaning="audio the encoder hears", numeric=False),
        Column(title="Runtime", meaning="what ran the model", numeric=False),
    ]  # fmt: skip
    rows = [_headline_row(results, row) for row in results["rows"]]
    note = (
        f"{_pooled_words(results)}, normaliser {results['primary_normalizer']}"
        f"{_strategy(results)}. Baseline: {results['baseline'] or 'none named'}."
    )
    return table("WER, size and speed of each row", columns, rows, note)


def _strategy(results: Results) -> str:
    """How tokens were chosen, where the results say so."""
    return f"; decoding {results['decoding']['strategy']}" if results["decoding"] else ""


def _pooled_words(results: Results) -> str:
    names = results["measured_corpora"]
    if not names:
        return "No corpus measured"
    return str(names[0]) if len(names) == 1 else f"All {len(names)} measured corpora together"


def _headline_row(results: Results, row: dict[str, Any]) -> list[str]:
    score = find_score(results, row["name"])
    speed = find_speed(results, row["name"])
    cer = score and score["cer"]
    return [
        row["name"],
        rate_cell(score, "wer"),
        baseline_delta(results, row["name"]),
        percent(cer["rate"]) if cer else "",
        megabytes(row.get("model_bytes")),
        number(speed["rtfx"], 1) if speed else "",
        f"{row['made']}{_seed(row)}",
        weights_words(row),
        row["context"],
        RUNTIMES.get(row["runtime"], row["runtime"]),
    ]


def _seed(row: dict[str, Any]) -> str:
    seed = row.get("training_seed")
    return "" if seed is None else f", seed {seed}"


def baseline_delta(results: Results, row: str) -> str:
    """Delta of one row to the baseline, without interval where it is one seed of a pooled row."""
    for c in results["comparisons"]:
        scope = (c["corpus"], c["normalizer"]) == (ALL, results["primary_normalizer"])
        if not scope or c["kind"] in (CONTEXT, RUNTIME, MIXED):
            continue
        deltas = {(m["a"], m["b"]): m["delta"] for m in c["members"]}
        if (results["baseline"], row) in deltas:
            delta = deltas[results["baseline"], row]
            single = len(c["members"]) == 1
            return points_interval(delta, c["low"], c["high"]) if single else points(delta)
    return ""


def accuracy_table(results: Results, normalizer: str) -> Table:
    """WER with interval on every corpus, and CER on all, under one normaliser."""
    corpora = _scopes(results)
    columns = [ROW]
    for corpus in corpora:
        meaning = "every measured corpus together" if corpus == ALL else f"corpus {corpus}"
        columns.append(Column(title=f"WER {corpus}, %", meaning=f"word error rate, {meaning}"))
    columns.append(Column(title="CER, %", meaning="character error rate, all measured corpora"))
    rows = []
    for row in results["rows"]:
        scores = [find_score(results, row["name"], c, normalizer) for c in [*corpora, ALL]]
        cells = [rate_cell(score, "wer") for score in scores[:-1]]
        rows.append([row["name"], *cells, rate_cell(scores[-1], "cer")])
    return table(f"Accuracy, normaliser {normalizer}", columns, rows)


def _scopes(results: Results) -> list[str]:
    """Corpora, and all together where that is something else."""
    names = list(results["measured_corpora"])
    return [*names, ALL] if len(names) > 1 else names


def errors_table(results: Results) -> Table:
    """Kinds of error, on everything measured, under the primary normaliser."""
    columns = [
        ROW,
        Column(title="Words", meaning="reference words scored"),
        Column(title="Substitutions", meaning="words replaced by another"),
        Column(title="Deletions", meaning="reference words missing from the transcript"),
        Column(title="Insertions", meaning="words that nobody said"),
        Column(title="Empty refs", meaning="references without a word after normalisation: "
               "counted here, left out of every rate"),
    ]  # fmt: skip
    scored = [(r["name"], find_score(results, r["name"])) for r in results["rows"]]
    rows = [
        [name, count(s["words"]["words"]), *_kinds(s["words"]), count(len(s["empty_references"]))]
        for name, s in scored
        if s
    ]
    note = "In parentheses: percent of the reference words."
    return table("Kinds of error", columns, rows, note)


def _kinds(words: dict[str, int]) -> list[str]:
    kinds = ("substitutions", "deletions", "insertions")
    share = {k: words[k] / words["words"] if words["words"] else None for k in kinds}
    return [f"{count(words[k])} ({percent(share[k], 1)})" for k in kinds]


def hallucination_table(results: Results) -> Table:
    """Signs of loops and invented words, on everything measured."""
    columns = [
        ROW,
        Column(title="Clips", meaning="clips whose reference has words"),
        Column(title="Repeated 5-grams", meaning="runs of 5 words said before in the same clip"),
        Column(title="Looping", meaning="transcripts that zlib shrinks more than 2.4 times"),
        Column(
            title="Too long", meaning="transcripts of more than 1.5 times the reference's words"
        ),
        Column(title="Empty", meaning="transcripts without a word"),
        Column(title="Words per second", meaning="words written per second of audio"),
    ]
    keys = ("clips", "repeated_5grams", "looping", "too_long", "silent")
    rows = [
        [one["row"], *(count(one[key]) for key in keys), number(one["words_per_second"])]
        for one in results["hallucination"]
    ]
    return table("Signs of hallucination", columns, rows)


def cost_table(results: Results) -> Table:
    """Time and memory of each row while it was evaluated."""
    columns = [
        ROW,
        Column(title="RTFx", meaning="seconds of audio per second of work, loading excluded"),
        Column(title="p50, s", meaning=f"median latency of clips of {MIN_DURATION_S:g} s or more"),
        Column(title="p90, s", meaning="latency that 9 of 10 of these clips stay under"),
        Column(title="p99, s", meaning="latency that 99 of 100 of these clips stay under"),
        Column(title="Timed clips", meaning="clips behind the percentiles"),
        Column(title="Peak memory, MB", meaning="peak resident memory of the process"),
        Column(title="Load, s", meaning="time to load the model"),
    ]
    rows = [_cost_row(row, find_speed(results, row["name"]) or {}) for row in results["rows"]]
    note = (
        "Taken once per clip during the evaluation, batch 1, without repeats or interleaving of "
        "rows: good for ratios between rows of this run, not a benchmark."
    )
    return table("Time and memory", columns, rows, note)


def _cost_row(row: dict[str, Any], speed: dict[str, Any]) -> list[str]:
    tail = speed.get("latency") or {}
    return [
        row["name"],
        number(speed.get("rtfx"), 1),
        *(number(tail.get(key)) for key in ("p50_s", "p90_s", "p99_s")),
        count(tail.get("clips", 0)),
        megabytes(row.get("peak_rss_bytes")),
        number(row.get("load_s")),
    ]


def mission_table(results: Results) -> Table:
    """Model, format, WER per corpus, size against float, speed against the baseline."""
    corpora = [corpus["name"] for corpus in results["corpora"]]
    columns = [
        Column(title="Model", meaning="row of this report", numeric=False),
        Column(title="Format", meaning="file format and weights", numeric=False),
        *(Column(title=f"{c}, WER %", meaning=f"word error rate on {c}") for c in corpora),
        Column(title="Size, % of fp16", meaning="model files against the same model in fp16"),
        Column(title="Size, % of fp32", meaning="model files against the same model in fp32"),
        Column(title="Speed", meaning=f"RTFx divided by that of {results['baseline']}"),
    ]
    base = find_speed(results, results["baseline"] or "")
    rows = [_mission_row(results, row, corpora, base) for row in results["rows"]]
    return table(
        "Size against float, speed against the baseline",
        columns,
        rows,
        "“–”: the corpus could not be reached.",
    )


def _mission_row(
    results: Results, row: dict[str, Any], corpora: list[str], base: dict[str, Any] | None
) -> list[str]:
    scores = [find_score(results, row["name"], corpus) for corpus in corpora]
    speed = find_speed(results, row["name"])
    ratio = speed["rtfx"] / base["rtfx"] if speed and base else None
    torch = " (PyTorch)" if row["runtime"] == "torch" else ""
    return [
        row["name"],
        f"{row['format'].upper()} {weights_words(row)}{torch}",
        *(percent(s["wer"]["rate"] if s and s["wer"] else None) for s in scores),
        percent(row["size_of_fp16"], 1),
        percent(row["size_of_fp32"], 1),
        "" if ratio is None else f"{number(ratio)}×",
    ]
