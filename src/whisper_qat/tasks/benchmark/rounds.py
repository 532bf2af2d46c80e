"""Interleaved rounds: every system runs once a round, one at a time; each answer is kept at once.

The clips of a set are split into small blocks. For each block every system (row) takes its turn;
the order is drawn with the seed and rotated from block to block, so that the systems take turns in
going first. A turn begins with an untimed clip. All processes of a set stay alive unless
`keep_alive` is off. Measurements that are in the journal are not repeated.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import GateError
from whisper_qat.measure.worker import Answer, Request, Worker
from whisper_qat.runs.child_process import ChildDied
from whisper_qat.runs.journal import Journal
from whisper_qat.tasks.benchmark.clips import LONG, BenchClip, ClipSet

WARM_UP_S = 2.0
TRANSCRIPT = "transcript"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Numbers of rounds and block size; `fixed_tokens` is the length for timing the decoder."""

    rounds: int
    long_rounds: int
    turn_clips: int
    fixed_tokens: int
    seed: int
    keep_alive: bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """One measurement of a row: `what` is a transcript, or a fixed number of tokens."""

    round: int
    clip: BenchClip
    tokens: int | None = None

    @property
    def what(self) -> str:
        return TRANSCRIPT if self.tokens is None else f"tokens-{self.tokens}"

    def key(self, row: str) -> str:
        """Id of the measurement in the journal."""
        return f"{row}|{self.round}|{self.clip.id}|{self.what}"


def turns(clips: ClipSet, schedule: Schedule) -> Iterator[list[Task]]:
    """Yield the blocks of all rounds; each round of short or full clips ends with fixed lengths."""
    size = schedule.turn_clips
    for number in range(rounds_of(clips, schedule)):
        for first in range(0, len(clips.clips), size):
            yield [Task(round=number, clip=clip) for clip in clips.clips[first : first + size]]
        if clips.kind != LONG and schedule.fixed_tokens:
            clip = max(clips.clips, key=lambda one: one.duration_s)
            lengths = (1, schedule.fixed_tokens)
            yield [Task(round=number, clip=clip, tokens=tokens) for tokens in lengths]


def rounds_of(clips: ClipSet, schedule: Schedule) -> int:
    """Number of times that every system transcribes a set."""
    return schedule.long_rounds if clips.kind == LONG else schedule.rounds


def order(names: list[str], turn: int, seed: int) -> list[str]:
    """`names` shuffled by the seed and rotated by `turn`."""
    drawn = sorted(names)
    random.Random(seed).shuffle(drawn)
    start = turn % len(drawn)
    return drawn[start:] + drawn[:start]


def measure_set(
    clips: ClipSet, openers: dict[str, Callable[[], Worker]], schedule: Schedule, path: Path,
    warm_up: BenchClip, say: Callable[[str], None],
) -> None:  # fmt: skip
    """Fill the journal of a set; rows that are already complete are not opened."""
    if not openers:
        return  # systems with a short context get short clips only
    with Journal(path) as journal, ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for turn, tasks in enumerate(turns(clips, schedule)):
            for name in order(list(openers), turn, schedule.seed):
                missing = [task for task in tasks if task.key(name) not in journal.done]
                if not missing:
                    continue
                if name not in workers:
                    workers[name] = stack.enter_context(open_worker(name, openers[name]))
                take_turn(name, workers[name], missing, journal, warm_up)
                if not schedule.keep_alive:
                    workers.pop(name).close()
            rounds = rounds_of(clips, schedule)
            say(f"{clips.name}: round {tasks[0].round + 1} of {rounds}, turn {turn + 1}")


def open_worker(name: str, opener: Callable[[], Worker]) -> Worker:
    """Start a row's process and wait until it is ready; GateError names the row if it died."""
    try:
        return opener()
    except ChildDied as error:
        raise GateError(f"row {name}: {error}") from None


def take_turn(
    name: str, worker: Worker, tasks: list[Task], journal: Journal, warm_up: BenchClip
) -> None:
    """Measure `tasks` after an untimed clip."""
    try:
        worker.ask(Request(audio=warm_up.path, seconds=WARM_UP_S))
        for task in tasks:
            answer = worker.ask(Request(audio=task.clip.path, tokens=task.tokens))
            journal.append(record(name, task, answer))
    except ChildDied as error:
        raise GateError(
            f"row {name}: {error} (out of memory?); what was measured so far is kept"
        ) from None


def record(name: str, task: Task, answer: Answer) -> dict[str, Any]:
    """The line of the journal for one measurement."""
    place = {"id": task.key(name), "row": name, "round": task.round, "clip": task.clip.id}
    return place | {"what": task.what} | asdict(answer)
