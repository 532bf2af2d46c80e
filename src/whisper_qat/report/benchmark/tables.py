"""Tables of a benchmark: speed and accuracy on each set, then what does not depend on a set."""

from collections.abc import Mapping
from typing import Any

from whisper_qat.report.render.printing import (
    count,
    duration,
    megabytes,
    number,
    percent,
    percent_interval,
)
from whisper_qat.report.render.tables import Column, Table, table

Results = Mapping[str, Any]
ROW = Column(title="Row", meaning="runtime and number format", numeric=False)


def tables(results: Results) -> list[Table]:
    """All tables, in the order printed; a set that nothing was measured on has none."""
    measured = {score["set"] for score in results["scores"]}
    return [
        *(set_table(results, one) for one in results["sets"] if one["name"] in measured),
        rows_table(results),
        policy_table(results),
    ]


def set_table(results: Results, clip_set: Mapping[str, Any]) -> Table:
    """Every row on one set."""
    reference = results["reference"]
    columns = [
        ROW,
        Column(title="RTFx", meaning="seconds of audio per second, from medians per clip"),
        Column(title=f"x {reference}", meaning="times as fast as that row, 95 % interval"),
        Column(title="CPU", meaning="the same ratio of CPU time, all threads"),
        Column(title="p50, s", meaning="median latency of all measurements"),
        Column(title="p90, s", meaning="nine of ten stay under it"),
        Column(title="p99, s", meaning="99 of 100 stay under it"),
        Column(title="First token, s", meaning="audio to first token (longest clip of the set)"),
        Column(title="Tokens/s", meaning=f"after the first, to {results['fixed_tokens']} tokens"),
        Column(title="Peak MB", meaning="most memory of the row's process on this set"),
        Column(title="WER, %", meaning=f"words, normaliser {results['normalizer']}, 95 % interval"),
    ]
    scores = [score for score in results["scores"] if score["set"] == clip_set["name"]]
    rows = [_set_row(score) for score in scores]
    audio_s = sum(clip["duration_s"] for clip in clip_set["clips"])
    rounds = max((s["measurements"] // s["clips"] for s in scores), default=0)
    note = f"{count(len(clip_set['clips']))} clips, {duration(audio_s)}, {rounds} rounds."
    return table(clip_set["name"], columns, rows, note)


def _set_row(score: Mapping[str, Any]) -> list[str]:
    return [
        score["row"],
        number(score["rtfx"], 1),
        times(score["speedup"], interval=True),
        times(score["cpu_speedup"]),
        *(number(score[key]) for key in ("p50_s", "p90_s", "p99_s")),
        _first(score),
        number(score["tokens_per_s"], 1),
        megabytes(score["peak_rss_bytes"]),
        error_rate(score["wer"]),
    ]


def times(found: Mapping[str, Any] | None, *, interval: bool = False) -> str:
    """A ratio as '1.52 [1.40, 1.61]'; empty where there is no reference."""
    if found is None:
        return ""
    text = number(found["rate"])
    if not (interval and has_width(found)):
        return text
    return f"{text} [{number(found['low'])}, {number(found['high'])}]"


def error_rate(wer: Mapping[str, Any] | None) -> str:
    """A rate in percent with its interval; empty where no reference has words."""
    if wer is None:
        return ""
    if not has_width(wer):
        return percent(wer["rate"])
    return percent_interval(wer["rate"], wer["low"], wer["high"])


def has_width(found: Mapping[str, Any]) -> bool:
    """Whether there is an interval to speak of: one clip, one round, or all alike give none."""
    return bool(found["low"] < found["high"])


def _first(score: Mapping[str, Any]) -> str:
    """Seconds to the first token, marked where the runtime's least is more than one."""
    text = number(score["first_token_s"])
    tokens = score["first_tokens"]
    return f"{text} ({tokens} tokens)" if tokens and tokens > 1 else text


def rows_table(results: Results) -> Table:
    """Size, threads and start of each row."""
    columns = [
        ROW,
        Column(title="Size, MB", meaning="files of weights, 10^6 bytes"),
        Column(title="Threads", meaning=results["threads"]),
        Column(title="Start, s", meaning="new process to first transcript (2 s of audio at most)"),
        Column(title="Load, s", meaning="the part of it that opens the model"),
        Column(title="Runtime", meaning="versions and build", numeric=False),
    ]
    rows = [
        [
            row["name"],
            megabytes(row["model_bytes"]),
            count(row["threads"]),
            number(row["first_transcript_s"]),
            number(row["open_s"]),
            ", ".join(f"{k} {v}" for k, v in row["facts"].items()),
        ]
        for row in results["rows"]
    ]
    return table("Size, threads, start", columns, rows, machine(results))


def policy_table(results: Results) -> Table:
    """How each row decodes and pads."""
    columns = [ROW, Column(title="Decoding and padding", meaning="", numeric=False)]
    rows = [[row["name"], row["policy"]] for row in results["rows"]]
    return table("Policy", columns, rows, f"All rows: {results['decoding']}.")


def machine(results: Results) -> str:
    """CPU, ISA, load and command in one line."""
    here = results["environment"]
    busy = " (busy: read ratios, not times)" if here["busy"] else ""
    return (
        f"{here['cpu']['name']}, {', '.join(here['cpu']['isa'])}; {here['cores']} cores; load "
        f"average {number(here['load_average'], 1)} at start{busy}; {' '.join(here['command'])}"
    )
