"""Benchmark of this project's models and other runtimes: same weights, same clips, one run.

The order of work: convert the checkpoint for each runtime (`models`), build clips (`clips`), choose
threads and time process starts (`pilot`), measure in rounds (`rounds`). Each system is one row of
the report. All measurements are kept in journals, so an interrupted run continues where it stopped;
the report is written from the journals and can be written again.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from whisper_qat.errors import GateError, InputError
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.long_form.chunks import METHOD
from whisper_qat.measure.worker import Worker
from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.model.checkpoint.load import check_checkpoint
from whisper_qat.report.benchmark.page import render, text
from whisper_qat.runs.environment import cpu, git_revision, package_versions
from whisper_qat.runs.folders import MANIFEST_NAME, hash_folder, write_json, write_manifest
from whisper_qat.runs.locks import folder_lock
from whisper_qat.runs.settings import check_settings
from whisper_qat.tasks.benchmark.clips import ClipSet, build_sets, warm_up_clip
from whisper_qat.tasks.benchmark.models import engine_hash
from whisper_qat.tasks.benchmark.pilot import best_threads, measure_starts
from whisper_qat.tasks.benchmark.rounds import Schedule, measure_set
from whisper_qat.tasks.benchmark.rows import (
    ReadyRow,
    available,
    choose,
    fits,
    ready,
    rows_of_folders,
)

logger = logging.getLogger(__name__)
KIND = "benchmark"
BUSY = 0.3  # load average per core from which a message says that the machine is not idle
NOT_SETTINGS = (
    "output_dir",
    "rows",
    "compare",
    "reference",
    "normalizer",
    "cache_dir",
    "rounds",
    "long_rounds",
    "start_rounds",
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Time, memory, size and WER of our models and other runtimes: same weights, same clips.

    Args:
        model_path: float checkpoint (a folder) that every system is made from
        output_dir: folder for journals, results, tables, plot and page; an interrupted run
            continues there
        cache_dir: folder that keeps the checkpoint's forms for each runtime (default:
            benchmark-models beside output_dir)
        data: manifests or data folders; the test split of each is used where there is one
        rows: names of the systems to measure (default: all)
        compare: converted folders with weights of their own, such as trained models, each as
            NAME=FOLDER
        reference: system that the speed ratios are measured against
        short_clips: number of clips under 6 s from each data source
        full_clips: number of clips of up to 30 s, each joined from one speaker's clips
        long_s: length in seconds of one long recording, joined from all clips; 0 for none
        rounds: number of times that every system transcribes every clip; raising it later continues
            the run
        long_rounds: number of rounds for the long recording
        start_rounds: number of fresh processes per system that are timed up to their first
            transcript
        turn_clips: number of clips that a system transcribes before the next system takes its turn
        threads: number of threads for every system (default: the best of a pilot run, for each
            system)
        max_threads: largest number of threads that the pilot tries (default: the cores of this
            process)
        fixed_tokens: number of tokens for measuring the decoding speed; 0 skips that and the
            first-token time
        max_new_tokens: largest number of tokens per 30 s for every system; 220 is whisper.cpp's own
            limit
        margin_s: seconds of silence after the clip for the systems that do not pad to 30 s
        language: language of the audio; an English-only checkpoint does not use it
        normalizer: text normaliser for WER, by name
        keep_alive: keep one process per system between turns; false starts a process for each turn,
            which needs less memory
        seed: seed of the draw of clips and of the order of the systems
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "systems": ("model_path", "rows", "compare", "reference", "cache_dir"),
        "clips": ("data", "short_clips", "full_clips", "long_s", "seed"),
        "rounds": ("rounds", "long_rounds", "start_rounds", "turn_clips", "keep_alive"),
        "threads": ("threads", "max_threads"),
        "decoding": ("fixed_tokens", "max_new_tokens", "margin_s", "language", "normalizer"),
        "output": ("output_dir",),
    }  # fmt: skip

    model_path: Path
    output_dir: Path
    cache_dir: Path | None = None
    data: list[str] = field(default_factory=lambda: ["data/telephone-fr"])
    rows: list[str] = field(default_factory=list)
    compare: list[str] = field(default_factory=list)
    reference: str = "faster-whisper-int8"
    short_clips: int = 20
    full_clips: int = 5
    long_s: float = 600.0
    rounds: int = 5
    long_rounds: int = 2
    start_rounds: int = 3
    turn_clips: int = 5
    threads: int | None = None
    max_threads: int | None = None
    fixed_tokens: int = 64
    max_new_tokens: int = 220
    margin_s: float = 3.0
    language: str = "fr"
    normalizer: str = "card"
    keep_alive: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "rounds",
            "long_rounds",
            "turn_clips",
            "max_new_tokens",
            "threads",
            "max_threads",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} {value}: expected a number from 1")
        for name in ("short_clips", "full_clips", "long_s", "fixed_tokens", "start_rounds"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name} {getattr(self, name)}: expected 0 or more")
        if self.fixed_tokens in (1, 2) or self.fixed_tokens > 200:
            raise InputError(f"--fixed_tokens {self.fixed_tokens}: expected 0, or 3 to 200")
        if self.threads is not None and self.max_threads is not None:
            raise InputError("--max_threads: is for the pilot, which --threads switches off")
        if not 0 <= self.margin_s <= 30:
            raise InputError(f"--margin_s {self.margin_s}: expected 0 to 30 seconds")
        if not self.data:
            raise InputError("--data: expected a manifest or data folder")
        get_normalizer(self.normalizer)
        choose(self.rows)


def run(config: BenchmarkConfig) -> None:
    """Measure what is missing, write the report and print its table.

    GateError when no system can be measured or the process of one dies.
    """
    if not config.model_path.is_dir():
        raise InputError(f"--model_path {config.model_path}: no such folder")
    check_checkpoint(config.model_path)
    load = load_at_start()
    with folder_lock(config.output_dir) as folder:
        rows, notes = prepare(config)
        for note in notes:
            logger.info(note)
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        check_settings(folder, settings(config, rows))
        sets = build_sets(
            config.data, folder / "clips", short_clips=config.short_clips,
            full_clips=config.full_clips, long_s=config.long_s, seed=config.seed,
        )  # fmt: skip
        threads = choose_threads(config, rows, sets, folder)
        write_json(folder / "measured.json", describe_run(config, rows, sets, threads, notes, load))
        measure(config, rows, sets, threads, folder)
        results = render(folder)
        print(text(results))
        logger.info(f"report: {folder / 'report.html'}")
        inputs = {row.name: hash_folder(row.folder) for row in rows}
        write_manifest(folder, kind=KIND, inputs=inputs, config=asdict(config))


def prepare(config: BenchmarkConfig) -> tuple[list[ReadyRow], list[str]]:
    """Rows with their folders; runtimes that are not installed are left out with a message."""
    cache = config.cache_dir or config.output_dir.parent / "benchmark-models"
    cache.mkdir(parents=True, exist_ok=True)
    extra = rows_of_folders(config.compare)
    kept, notes = available(choose(config.rows))
    if not kept and not extra:
        raise GateError("no row can be measured: " + "; ".join(notes))
    rows = [ready(row, config.model_path, cache, config.margin_s) for row in kept] + extra
    if config.reference not in {row.name for row in rows}:
        notes.append(f"no ratios: the reference {config.reference} is not among the rows")
    return rows, notes


def settings(config: BenchmarkConfig, rows: list[ReadyRow]) -> dict[str, Any]:
    """Settings that must not change between the runs that fill one folder."""
    kept = {k: v for k, v in asdict(config).items() if k not in NOT_SETTINGS}
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in kept.items()}
    found = {row.name: hash_folder(row.folder) for row in rows}
    return plain | {"rows": found, "engine": engine_hash()}


def choose_threads(
    config: BenchmarkConfig, rows: list[ReadyRow], sets: list[ClipSet], folder: Path
) -> dict[str, dict[str, Any]]:
    """Row -> its number of threads, and the times that the pilot measured."""
    if config.threads is not None:
        return {row.name: {"threads": config.threads, "median_wall_s": {}} for row in rows}
    most = config.max_threads or cores()
    by_name = {row.name: row for row in rows}
    return best_threads(
        list(by_name), most, warm_up_clip(sets), folder / "pilot.jsonl",
        lambda name, threads: open_worker(config, by_name[name], threads),
    )  # fmt: skip


def open_worker(config: BenchmarkConfig, row: ReadyRow, threads: int) -> Worker:
    """Start a process that has the row's model loaded."""
    return Worker(row.row.runtime.open, row.setup(threads, config.language, config.max_new_tokens))


def measure(
    config: BenchmarkConfig, rows: list[ReadyRow], sets: list[ClipSet],
    threads: dict[str, dict[str, Any]], folder: Path,
) -> None:  # fmt: skip
    """Measure process starts and every set of clips, and add the results to their journals."""
    openers: dict[str, Callable[[], Worker]] = {
        row.name: partial(open_worker, config, row, threads[row.name]["threads"]) for row in rows
    }
    warm_up = warm_up_clip(sets)
    measure_starts(openers, config.start_rounds, warm_up, folder / "starts.jsonl", config.seed)
    schedule = Schedule(
        rounds=config.rounds, long_rounds=config.long_rounds, turn_clips=config.turn_clips,
        fixed_tokens=config.fixed_tokens, seed=config.seed, keep_alive=config.keep_alive,
    )  # fmt: skip
    for clips in sets:
        mine = {row.name: openers[row.name] for row in rows if fits(row.row, clips.kind)}
        path = folder / "rounds" / f"{clips.name}.jsonl"
        measure_set(clips, mine, schedule, path, warm_up, logger.info)


def describe_run(
    config: BenchmarkConfig, rows: list[ReadyRow], sets: list[ClipSet],
    threads: dict[str, dict[str, Any]], notes: list[str], load: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Everything that the report needs in addition to the journals."""
    language = read_rules(config.model_path, language=config.language).language
    return {
        "rows": [row.describe() | threads[row.name] for row in rows],
        "sets": [asdict(one) for one in sets],
        "notes": notes,
        "reference": config.reference,
        "normalizer": get_normalizer(config.normalizer).name,
        "fixed_tokens": config.fixed_tokens,
        "threads": "fixed" if config.threads is not None else "best of a pilot",
        "decoding": f"greedy, {language}, at most {config.max_new_tokens} tokens per piece; "
                    f"audio over 30 s in the same pieces for every row: {METHOD}",
        "environment": environment() | load,
        "config": asdict(config),
    }  # fmt: skip


def environment() -> dict[str, Any]:
    """Machine and software of this run."""
    return {
        "cpu": cpu(),
        "cores": cores(),
        "versions": package_versions(),
        "git_revision": git_revision(),
        "command": sys.argv,
    }


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_at_start() -> dict[str, Any]:
    """Load average before the benchmark starts; a message when the machine is not idle."""
    load = os.getloadavg()[0]
    number = cores()
    busy = load > BUSY * number
    if busy:
        logger.warning(
            f"warning: load average {load:.1f} on {number} cores: the machine is busy, so read "
            "ratios, not times"
        )
    return {"load_average": load, "busy": busy}
