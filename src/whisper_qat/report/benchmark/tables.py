"""Tables of a benchmark: speed and WER on each set of clips, then size, start-up and policy."""

from collections.abc import Mapping
from typing import Any

from whisper_qat.report.render.printing import (
    count,
    duration,
    megabytes,
    number,
    percent,
    percent_interval,
    plural,
)
from whisper_qat.report.render.tables import Column, Table, table
from whisper_qat.runs.environment import cpu_kind

Results = Mapping[str, Any]
SYSTEM = Column(title="System", meaning="runtime and number format of the weights", numeric=False)


def tables(results: Results) -> list[Table]:
    """All tables in printed order; a set on which nothing was measured has none."""
    measured = {score["set"] for score in results["scores"]}
    return [
        *(set_table(results, one) for one in results["sets"] if one["name"] in measured),
        rows_table(results),
        policy_table(results),
    ]


def set_table(results: Results, clip_set: Mapping[str, Any]) -> Table:
    """Speed, memory and WER of every row on one set of clips."""
    reference = results["reference"]
    columns = [
        SYSTEM,
        Column(title="RTFx", meaning="inverse real-time factor: seconds of audio transcribed per "
               "second, from the median time of each clip; higher is faster"),
        Column(title=f"× {reference}", meaning=f"speed relative to {reference}, from the same "
               "medians, with 95 % interval"),
        Column(title="CPU ratio", meaning=f"CPU time of {reference}, over all threads, divided by "
               "that of this system"),
        Column(title="p50, s", meaning="median latency over all measurements"),
        Column(title="p90, s", meaning="90th percentile of the latency"),
        Column(title="p99, s", meaning="99th percentile of the latency"),
        Column(title="First token, s", meaning="time from the audio to the first token, on the "
               "longest clip of the set"),
        Column(title="Tokens/s", meaning="decoding rate after the first token, up to "
               f"{results['fixed_tokens']} tokens"),
        Column(title="Peak MB", meaning="peak memory of the system's process, in 10^6 bytes"),
        Column(title="WER, %", meaning="word error rate with 95 % interval, normaliser "
               f"{results['normalizer']}"),
    ]  # fmt: skip
    scores = [score for score in results["scores"] if score["set"] == clip_set["name"]]
    rows = [_set_row(score) for score in scores]
    audio_s = sum(clip["duration_s"] for clip in clip_set["clips"])
    rounds = max((s["measurements"] // s["clips"] for s in scores), default=0)
    note = (
        f"{plural(len(clip_set['clips']), 'clip')}, {duration(audio_s)} of audio, "
        f"{plural(rounds, 'round')}."
    )
    return table(clip_set["name"], columns, rows, note)


def _set_row(score: Mapping[str, Any]) -> list[str]:
    return [
        score["row"],
        number(score["rtfx"], 1),
        times(score["speedup"], interval=True),
        times(score["cpu_speedup"]),
        *(number(score[key]) for key in ("p50_s", "p90_s", "p99_s")),
        _first_token(score),
        number(score["tokens_per_s"], 1),
        megabytes(score["peak_rss_bytes"]),
        error_rate(score["wer"]),
    ]


def times(found: Mapping[str, Any] | None, *, interval: bool = False) -> str:
    """A ratio as '1.52 [1.40, 1.61]'; empty where the reference was not measured."""
    if found is None:
        return ""
    text = number(found["rate"])
    if not (interval and has_width(found)):
        return text
    return f"{text} [{number(found['low'])}, {number(found['high'])}]"


def error_rate(wer: Mapping[str, Any] | None) -> str:
    """An error rate in percent with its interval; empty where no reference has words."""
    if wer is None:
        return ""
    if not has_width(wer):
        return percent(wer["rate"])
    return percent_interval(wer["rate"], wer["low"], wer["high"])


def has_width(found: Mapping[str, Any]) -> bool:
    """Whether the interval has a width; one clip, one round or equal values give none."""
    return bool(found["low"] < found["high"])


def _first_token(score: Mapping[str, Any]) -> str:
    """Seconds to the first token, with the number of tokens where the runtime decodes more."""
    text = number(score["first_token_s"])
    tokens = score["first_tokens"]
    return f"{text} ({tokens} tokens)" if tokens and tokens > 1 else text


def rows_table(results: Results) -> Table:
    """Size, threads and start-up time of each row."""
    columns = [
        SYSTEM,
        Column(title="Size, MB", meaning="size of the weight files in 10^6 bytes"),
        Column(title="Threads", meaning=f"number of threads: {results['threads']}"),
        Column(title="Start, s", meaning="time from the start of a process to its first "
               "transcript, of at most 2 s of audio"),
        Column(title="Load, s", meaning="the part of it that loads the model"),
        Column(title="Runtime", meaning="versions and build of the runtime", numeric=False),
    ]  # fmt: skip
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
    return table("Size, threads and start-up", columns, rows, machine(results))


def policy_table(results: Results) -> Table:
    """The decoding and padding policy of each row."""
    columns = [SYSTEM, Column(title="Policy", meaning="", numeric=False)]
    rows = [[row["name"], row["policy"]] for row in results["rows"]]
    return table("Decoding and padding", columns, rows, f"All systems: {results['decoding']}.")


def machine(results: Results) -> str:
    """CPU, instruction set, load and command in one line."""
    here = results["environment"]
    busy = " (the machine was busy: rely on ratios, not on times)" if here["busy"] else ""
    return (
        f"{here['cpu']['name']}, {cpu_kind(here['cpu']['isa'])} "
        f"({', '.join(here['cpu']['isa'])}); {plural(here['cores'], 'core')}; "
        f"load average {number(here['load_average'], 1)} at the start{busy}; command: "
        f"{' '.join(here['command'])}"
    )
