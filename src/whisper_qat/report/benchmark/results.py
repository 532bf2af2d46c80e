"""Compute ``results.json`` from the journals: medians, ratios, latencies, memory and WER.

The time of a clip is the median over its rounds. RTFx is seconds of audio over the sum of these
medians. A ratio divides the reference's sum by the row's, over the clips that both have; its
bootstrap interval resamples clips, or rounds where a set has only one clip. Latency percentiles are
taken over all single measurements, not over medians, because they are meant to show the tail.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.metrics.significance import Interval, interval, ratio_interval
from whisper_qat.metrics.wer import count_words
from whisper_qat.report.benchmark.journal import Answers, read_lines, transcripts
from whisper_qat.runs.folders import read_json, write_json

FORMAT_VERSION = 1
PERCENTILES = {"p50_s": 50, "p90_s": 90, "p99_s": 99}
PASSED_ON = ("sets", "notes", "reference", "normalizer", "threads", "decoding", "environment",
             "config", "fixed_tokens")  # fmt: skip
Clips = Mapping[str, Mapping[str, Any]]


def summarize(folder: Path) -> dict[str, Any]:
    """Compute and write ``folder/results.json``."""
    measured = read_json(folder / "measured.json")
    results = {
        "format_version": FORMAT_VERSION,
        **{key: measured[key] for key in PASSED_ON},
        "rows": add_starts(measured["rows"], read_lines(folder / "starts.jsonl")),
        "scores": [score for one in measured["sets"] for score in scores(folder, one, measured)],
    }
    write_json(folder / "results.json", results)
    return results


def add_starts(
    rows: list[dict[str, Any]], starts: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Each row with its median start-up times and the facts of its runtime; None if not timed."""
    by_row = defaultdict(list)
    for start in starts:
        by_row[start["row"]].append(start)
    found = []
    for row in rows:
        mine = by_row[row["name"]]
        seconds = [start["first_transcript_s"] for start in mine]
        found.append(row | {
            "first_transcript_s": median(seconds) if seconds else None,
            "open_s": median(start["open_s"] for start in mine) if mine else None,
            "facts": mine[-1]["facts"] if mine else {},
        })  # fmt: skip
    return found


def scores(
    folder: Path, clip_set: Mapping[str, Any], measured: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The scores of each row that was measured on a set."""
    lines = read_lines(folder / "rounds" / f"{clip_set['name']}.jsonl")
    by_row: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        by_row[line["row"]].append(line)
    clips = {clip["id"]: clip for clip in clip_set["clips"]}
    apply = get_normalizer(measured["normalizer"]).apply
    reference = transcripts(by_row.get(measured["reference"], []))
    found = []
    for row in measured["rows"]:
        answers = transcripts(by_row[row["name"]])
        if answers:
            found.append(
                {"row": row["name"], "set": clip_set["name"]}
                | speed(answers, clips)
                | {name: speedup(reference, answers, key) for name, key in
                   (("speedup", "wall_s"), ("cpu_speedup", "cpu_s"))}
                | decoding(by_row[row["name"]])
                | {"peak_rss_bytes": max(line["peak_rss_bytes"] for line in by_row[row["name"]])}
                | accuracy(answers, clips, apply)
            )  # fmt: skip
    return found


def medians(answers: Answers, key: str) -> dict[str, float]:
    """Median of a measured value over the rounds of each clip."""
    return {clip: median(line[key] for line in lines) for clip, lines in answers.items()}


def speed(answers: Answers, clips: Clips) -> dict[str, Any]:
    """RTFx, time and CPU time from medians, and percentiles of the single measurements."""
    wall_s = sum(medians(answers, "wall_s").values())
    audio_s = sum(clips[clip]["duration_s"] for clip in answers)
    single = [line["wall_s"] for lines in answers.values() for line in lines]
    tail = {name: float(np.percentile(single, p)) for name, p in PERCENTILES.items()}
    return {
        "clips": len(answers),
        "measurements": len(single),
        "audio_s": audio_s,
        "wall_s": wall_s,
        "cpu_s": sum(medians(answers, "cpu_s").values()),
        "rtfx": audio_s / wall_s,
    } | tail


def speedup(reference: Answers, answers: Answers, key: str) -> dict[str, Any] | None:
    """How many times faster than the reference, and what the interval was resampled over."""
    shared = [clip for clip in answers if clip in reference]
    if not shared:
        return None
    if len(shared) > 1:
        theirs, mine = medians(reference, key), medians(answers, key)
        pairs = [(theirs[clip], mine[clip]) for clip in shared]
        return asdict(ratio(pairs)) | {"over": "clips"}
    (clip,) = shared
    by_round = {line["round"]: line[key] for line in reference[clip]}
    pairs = [
        (by_round[line["round"]], line[key]) for line in answers[clip] if line["round"] in by_round
    ]
    return asdict(ratio(pairs)) | {"over": "rounds"} if pairs else None


def ratio(pairs: list[tuple[float, float]]) -> Interval:
    """sum(first) / sum(second) with a bootstrap interval over the pairs."""
    return ratio_interval([a for a, _ in pairs], [b for _, b in pairs])


def decoding(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds to the first token and tokens per second after it; None where not measured.

    Both follow from the shortest and the longest fixed length, with the tokens that were counted.
    """
    by_length: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        if line["tokens"] is not None:
            by_length[line["tokens"]].append(line["wall_s"])
    nothing = {"first_token_s": None, "first_tokens": None, "tokens_per_s": None}
    if len(by_length) < 2:
        return nothing
    first, last = min(by_length), max(by_length)
    start_s, end_s = median(by_length[first]), median(by_length[last])
    rate = (last - first) / (end_s - start_s) if end_s > start_s else None
    return {"first_token_s": start_s, "first_tokens": first, "tokens_per_s": rate}


def accuracy(answers: Answers, clips: Clips, apply: Any) -> dict[str, Any]:
    """WER of the texts of the first round, and how many clips got another text in a later round."""
    counts = [
        count_words(apply(clips[clip]["text"]), apply(lines[0]["text"]))
        for clip, lines in answers.items()
    ]
    scored = [count for count in counts if count.words]
    wer = asdict(interval(scored)) if scored else None
    unsteady = [clip for clip, lines in answers.items() if len({x["text"] for x in lines}) > 1]
    return {"wer": wer, "words": sum(c.words for c in scored), "unsteady_clips": len(unsteady)}
