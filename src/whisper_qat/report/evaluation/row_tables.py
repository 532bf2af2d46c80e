"""Tables with one line per measured row: headline, accuracy, kinds of error, size and speed, cost.

All percentages are of reference words (WER) or characters (CER); all intervals are 95 %.
"""

from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.groups import CONTEXT, MIXED, RUNTIME
from whisper_qat.report.evaluation.latency import MIN_DURATION_S
from whisper_qat.report.evaluation.shown_rows import (
    RULE,
    has_more_errors_than_words,
    outside_names,
    outside_rows,
    shown_rows,
)
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

SYSTEM = Column(title="System", meaning="name of the measured system", numeric=False)
BASELINE_DELTA = "Δ WER vs. baseline, points"
RUNTIMES = {"onnxruntime": "ONNX Runtime", "torch": "PyTorch (not ONNX)"}

HEADLINE_COLUMNS = [
    SYSTEM,
    Column(title="WER, %", meaning="word error rate: word errors per reference word"),
    Column(title=BASELINE_DELTA, meaning="WER minus that of the baseline on the same clips; "
           "empty where the audio context or the runtime differs as well, without "
           "interval for one of several seeds"),
    Column(title="CER, %", meaning="character error rate: errors per reference character"),
    Column(title="Size, MB", meaning="size of all model files in 10^6 bytes"),
    Column(title="RTFx", meaning="seconds of audio transcribed per second of computation"),
    Column(title="Method", meaning="base: the published checkpoint; control: fine-tuned in "
           "float on the same data as QAT; PTQ: quantized after training; QAT: trained with "
           "quantization", numeric=False),
    Column(title="Weights", meaning="number format of the weights; in block-int8-32, runs of "
           "32 int8 weights share one scale", numeric=False),
    Column(title="Audio context", meaning="audio that the encoder receives: the clip padded "
           "to 30 s, or the clip and so many seconds of silence", numeric=False),
    Column(title="Runtime", meaning="software that ran the model", numeric=False),
]  # fmt: skip


def weights_words(row: dict[str, Any]) -> str:
    """The number format of the weights: their quantization scheme, or float32."""
    if row["quantization_type"] == "none":
        return "float32"
    return str(row.get("scheme") or row["quantization_type"])


def headline_table(results: Results) -> Table:
    """The first table: what each system is, its error rates, its size and its speed."""
    rows = [_headline_row(results, row) for row in shown_rows(results)]
    note = (
        f"{_pooled_words(results)}; normaliser {results['primary_normalizer']}"
        f"{_strategy(results)}. Baseline: {_baseline(results)}. Brackets hold 95 % intervals."
    )
    return table("WER, size and speed of each system", HEADLINE_COLUMNS, rows, note)


def outside_table(results: Results) -> Table:
    """The columns of the first table for the systems outside the comparison, with the rule."""
    rows = [_headline_row(results, row) for row in outside_rows(results)]
    return table("Systems outside the comparison", HEADLINE_COLUMNS, rows, RULE)


def _baseline(results: Results) -> str:
    name = results["baseline"] or "none"
    return f"{name}, outside the comparison" if name in outside_names(results) else name


def _strategy(results: Results) -> str:
    """The decoding strategy, where it is recorded."""
    return f"; decoding: {results['decoding']['strategy']}" if results["decoding"] else ""


def _pooled_words(results: Results) -> str:
    names = results["measured_corpora"]
    if not names:
        return "No corpus was measured"
    return f"Corpus {names[0]}" if len(names) == 1 else f"All {len(names)} measured corpora pooled"


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
    """WER of a row minus the baseline's; one seed of a pooled group has no interval.

    Empty against a baseline with more errors than words: the difference tells nothing of the row.
    """
    baseline = results["baseline"]
    if baseline in outside_names(results) and has_more_errors_than_words(results, baseline):
        return ""
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
    """WER on every corpus, and CER on all together, under one normaliser."""
    corpora = _scopes(results)
    columns = [SYSTEM]
    for corpus in corpora:
        meaning = "all measured corpora pooled" if corpus == ALL else f"corpus {corpus}"
        columns.append(Column(title=f"WER {corpus}, %", meaning=f"word error rate, {meaning}"))
    columns.append(
        Column(title="CER, %", meaning="character error rate, all measured corpora pooled")
    )
    rows = []
    for row in results["rows"]:
        scores = [find_score(results, row["name"], c, normalizer) for c in [*corpora, ALL]]
        cells = [rate_cell(score, "wer") for score in scores[:-1]]
        rows.append([row["name"], *cells, rate_cell(scores[-1], "cer")])
    return table(f"Accuracy, normaliser {normalizer}", columns, rows)


def _scopes(results: Results) -> list[str]:
    """The corpora and, if there are several, all of them together."""
    names = list(results["measured_corpora"])
    return [*names, ALL] if len(names) > 1 else names


def errors_table(results: Results) -> Table:
    """Kinds of error over all measured corpora, under the primary normaliser."""
    columns = [
        SYSTEM,
        Column(title="Words", meaning="reference words scored"),
        Column(title="Substitutions", meaning="reference words replaced by another word"),
        Column(title="Deletions", meaning="reference words missing from the transcript"),
        Column(title="Insertions", meaning="transcript words without a counterpart in the "
               "reference"),
        Column(title="Empty references", meaning="references that have no word after "
               "normalisation; they are excluded from all rates"),
    ]  # fmt: skip
    scored = [(r["name"], find_score(results, r["name"])) for r in results["rows"]]
    rows = [
        [name, count(s["words"]["words"]), *_kinds(s["words"]), count(len(s["empty_references"]))]
        for name, s in scored
        if s
    ]
    note = "Parentheses hold percentages of the reference words."
    return table("Kinds of error", columns, rows, note)


def _kinds(words: dict[str, int]) -> list[str]:
    kinds = ("substitutions", "deletions", "insertions")
    share = {k: words[k] / words["words"] if words["words"] else None for k in kinds}
    return [f"{count(words[k])} ({percent(share[k], 1)})" for k in kinds]


def hallucination_table(results: Results) -> Table:
    """Signs of loops and invented words over all measured corpora."""
    columns = [
        SYSTEM,
        Column(title="Clips", meaning="clips whose reference has words"),
        Column(
            title="Repeated 5-grams",
            meaning="sequences of 5 words that occurred before in the same transcript",
        ),
        Column(
            title="Looping",
            meaning="transcripts that zlib compresses by more than a factor of 2.4",
        ),
        Column(
            title="Too long",
            meaning="transcripts with more than 1.5 times as many words as the reference",
        ),
        Column(title="Empty", meaning="transcripts without a word"),
        Column(title="Words per second", meaning="transcript words per second of audio"),
    ]
    keys = ("clips", "repeated_5grams", "looping", "too_long", "silent")
    rows = [
        [one["row"], *(count(one[key]) for key in keys), number(one["words_per_second"])]
        for one in results["hallucination"]
    ]
    return table("Signs of hallucination", columns, rows)


def cost_table(results: Results) -> Table:
    """Time and memory of each row during the evaluation."""
    columns = [
        SYSTEM,
        Column(
            title="RTFx",
            meaning="seconds of audio transcribed per second of computation, without loading",
        ),
        Column(
            title="p50, s",
            meaning=f"median transcription time of the clips of at least {MIN_DURATION_S:g} s",
        ),
        Column(title="p90, s", meaning="90th percentile of these times"),
        Column(title="p99, s", meaning="99th percentile of these times"),
        Column(title="Timed clips", meaning="number of clips in the percentiles"),
        Column(title="Peak memory, MB", meaning="peak resident memory of the process"),
        Column(title="Load, s", meaning="time to load the model"),
    ]
    rows = [_cost_row(row, find_speed(results, row["name"]) or {}) for row in results["rows"]]
    note = (
        "Each clip was timed once, in a batch of one, and the systems ran one after another. The "
        "figures allow a rough comparison within this run; they are not a benchmark."
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


def size_and_speed_table(results: Results) -> Table:
    """WER on each corpus, size relative to float and speed relative to the baseline."""
    corpora = [corpus["name"] for corpus in results["corpora"]]
    columns = [
        SYSTEM,
        Column(title="Format", meaning="file format and number format of the weights",
               numeric=False),
        *(Column(title=f"{c}, WER %", meaning=f"word error rate on {c}") for c in corpora),
        Column(title="Size, % of fp16", meaning="size relative to the same model in float16"),
        Column(title="Size, % of fp32", meaning="size relative to the same model in float32"),
        Column(title="Speed", meaning=f"RTFx relative to that of {results['baseline']}"),
    ]  # fmt: skip
    base = find_speed(results, results["baseline"] or "")
    rows = [_size_and_speed_row(results, row, corpora, base) for row in results["rows"]]
    return table(
        "Size relative to float, speed relative to the baseline",
        columns,
        rows,
        "A dash (–) marks what was not measured.",
    )


def _size_and_speed_row(
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
