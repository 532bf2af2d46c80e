"""Pilot before the rounds: the best number of threads and the start time of each system.

A short pilot finds the number of threads: one process for each number, which transcribe the same
clip in turn; the smallest median wall time wins. The start is timed from outside, from launching
the interpreter to the first transcript, with imports and loading; files are in the page cache.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from whisper_qat.measure.worker import Request, Worker
from whisper_qat.runs.journal import Journal, repair
from whisper_qat.tasks.benchmark.clips import BenchClip
from whisper_qat.tasks.benchmark.rounds import WARM_UP_S, open_worker, order

REPEATS = 3
Open = Callable[[str, int], Worker]  # (name of the row, threads) -> its process


def candidates(most: int) -> list[int]:
    """Numbers of threads to try: 1 to 4, then doubled, and `most` itself."""
    found = {threads for threads in (1, 2, 3, 4, 8, 16, 32, 64) if threads < most}
    return sorted(found | {most})


def best_threads(
    names: Sequence[str], most: int, clip: BenchClip, path: Path, open_row: Open
) -> dict[str, dict[str, Any]]:
    """Row -> the chosen `threads` and the `median_wall_s` of each number tried; kept in `path`."""
    with Journal(path) as journal:
        for name in names:
            if name not in journal.done:
                journal.append({"id": name} | pilot(name, candidates(most), clip, open_row))
    return {record["id"]: record for record in repair(path) if record["id"] in names}


def pilot(name: str, tried: list[int], clip: BenchClip, open_row: Open) -> dict[str, Any]:
    """Time one clip with each number of threads, in turns."""
    if len(tried) == 1:
        return {"threads": tried[0], "median_wall_s": {}}
    walls: dict[int, list[float]] = {threads: [] for threads in tried}
    with ExitStack() as stack:
        workers = {
            threads: stack.enter_context(open_worker(name, partial(open_row, name, threads)))
            for threads in tried
        }
        for repeat in range(REPEATS + 1):
            for threads, worker in workers.items():
                wall_s = worker.ask(Request(audio=clip.path)).wall_s
                if repeat:  # the first warms up
                    walls[threads].append(wall_s)
    medians = {threads: median(found) for threads, found in walls.items()}
    best = min(medians, key=lambda threads: medians[threads])
    return {"threads": best, "median_wall_s": {str(k): v for k, v in medians.items()}}


def measure_starts(
    openers: dict[str, Callable[[], Worker]], rounds: int, clip: BenchClip, path: Path, seed: int
) -> None:
    """Start fresh processes in turn; record how long each took to its first transcript."""
    with Journal(path) as journal:
        for number in range(rounds):
            for name in order(list(openers), number, seed):
                key = f"{name}|{number}"
                if key not in journal.done:
                    found = start(name, openers[name], clip)
                    journal.append({"id": key, "row": name, "round": number} | found)


def start(name: str, opener: Callable[[], Worker], clip: BenchClip) -> dict[str, Any]:
    """Seconds to the first transcript, the part of it that opened the model, and the runtime."""
    began = perf_counter()
    with open_worker(name, opener) as worker:
        answer = worker.ask(Request(audio=clip.path, seconds=WARM_UP_S))
        return {
            "first_transcript_s": perf_counter() - began,
            "open_s": worker.opened.open_s,
            "first_wall_s": answer.wall_s,
            "facts": worker.opened.facts,
        }
