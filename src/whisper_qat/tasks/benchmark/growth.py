"""Growth of cost: our engine's time and memory against length, clips, threads, depth, width.

Each point is measured in a separate process, so that its peak memory belongs to it alone; its times
are medians of repeats after an untimed one. Points are kept in a journal, so an interrupted run
continues.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Literal

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.corpora.named import load_any
from whisper_qat.data.corpora.test_sets import usable
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S
from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.registry import find_form
from whisper_qat.measure.systems.system import Setup
from whisper_qat.measure.worker import Answer, Request, Worker
from whisper_qat.model.checkpoint.load import check_checkpoint
from whisper_qat.report.benchmark.growth import render, text
from whisper_qat.runs.child_process import in_child
from whisper_qat.runs.folders import MANIFEST_NAME, hash_folder, write_json, write_manifest
from whisper_qat.runs.journal import Journal
from whisper_qat.runs.locks import folder_lock
from whisper_qat.runs.settings import check_settings
from whisper_qat.tasks.benchmark.benchmark import cores, environment, load_at_start
from whisper_qat.tasks.benchmark.clips import SHORT_S, BenchClip, long_group, short_groups, write
from whisper_qat.tasks.benchmark.models import build_form, engine_hash, with_short_context
from whisper_qat.tasks.benchmark.pilot import candidates
from whisper_qat.tasks.benchmark.shapes import DEPTHS, PUBLISHED, WIDTHS, RandomWhisper, make_random

logger = logging.getLogger(__name__)
KIND = "benchmark-growth"
AXES = ("length", "clips", "threads", "depth", "width", "shape")
LENGTHS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)
NUMBERS = (1, 3, 10, 30, 100, 300, 1000)
SHAPES = {"depth": DEPTHS, "width": WIDTHS, "shape": PUBLISHED}
UNITS = {"length": "s of audio", "clips": "clips", "threads": "threads", "depth": "layers a side",
         "width": "d_model", "shape": "M weights in layers"}  # fmt: skip
FULL, SHORT = "30 s context", "clip's own context"
NOT_SETTINGS = ("output_dir", "cache_dir", "axes", "max_s", "max_clips", "max_weights_m")


@dataclass(frozen=True, kw_only=True)
class GrowthConfig:
    """Time and memory of our engine as clips, threads and models grow, and the law they follow.

    Args:
        model_path: float checkpoint (a folder); the random models get its tokenizer
        output_dir: folder for points, tables, plot and page; an interrupted run continues there
        cache_dir: folder that keeps the converted models (default: benchmark-models beside
            output_dir)
        data: manifest or data folder; recordings of any length are joined from its clips
        axes: quantities to vary: length, clips, threads, depth, width, shape
        quantization_type: format of the measured models
        max_s: length of the longest recording in seconds, at most 7200
        max_clips: largest number of clips in one run, at most 1000
        max_weights_m: size of the largest random model in millions of weights; v0.2's shape has 682
        threads: number of threads, except along the axis threads
        repeats: number of timed runs of each point
        fixed_tokens: number of tokens to decode where the text must not matter
        margin_s: seconds of silence after the clip with a dynamic audio context
        language: language of the audio; an English-only checkpoint does not use it
        seed: seed of the draw of clips
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "model": ("model_path", "quantization_type", "cache_dir"),
        "points": ("data", "axes", "max_s", "max_clips", "max_weights_m", "repeats", "seed"),
        "decoding": ("threads", "fixed_tokens", "margin_s", "language"),
        "output": ("output_dir",),
    }  # fmt: skip

    model_path: Path
    output_dir: Path
    cache_dir: Path | None = None
    data: str = "data/telephone-fr"
    axes: list[str] = field(default_factory=lambda: list(AXES))
    quantization_type: Literal["int8", "int4"] = "int8"
    max_s: float = 600.0
    max_clips: int = 100
    max_weights_m: float = 100.0
    threads: int = 1
    repeats: int = 3
    fixed_tokens: int = 32
    margin_s: float = 3.0
    language: str = "fr"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_clips", "threads", "repeats", "fixed_tokens", "max_s", "max_weights_m"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected a number from 1")
        for axis in self.axes:
            if axis not in AXES:
                raise InputError(f"--axes {axis!r}: expected some of {', '.join(AXES)}")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One size on one axis: the requests to one model, with a number of threads."""

    axis: str
    row: str
    size: float
    folder: Path | RandomWhisper
    threads: int
    requests: list[Request]

    @property
    def id(self) -> str:
        return f"{self.axis}|{self.row}|{self.size:g}"


def run(config: GrowthConfig) -> None:
    """Measure the missing points, write the page and print both tables."""
    if not config.model_path.is_dir():
        raise InputError(f"--model_path {config.model_path}: no such folder")
    check_checkpoint(config.model_path)
    load = load_at_start()
    cache = config.cache_dir or config.output_dir.parent / "benchmark-models"
    cache.mkdir(parents=True, exist_ok=True)
    with folder_lock(config.output_dir) as folder:
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        kept = {k: v for k, v in asdict(config).items() if k not in NOT_SETTINGS}
        form = find_form(f"onnx-{config.quantization_type}")
        full = build_form(form, config.model_path, cache)
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in kept.items()}
        check_settings(folder, plain | {"model": hash_folder(full), "engine": engine_hash()})
        notes = [f"{config.quantization_type}, {config.threads} threads but on that axis"]
        write_json(
            folder / "measured.json",
            {"environment": environment() | load, "config": asdict(config), "notes": notes},
        )
        with Journal(folder / "points.jsonl") as journal:
            for point in points(config, full, folder / "clips"):
                if point.id not in journal.done:
                    logger.info(f"measuring {point.id}")
                    journal.append(measure_point(point, config))
        print(text(render(folder)))
        logger.info(f"page: {folder / 'growth.html'}")
        inputs = {"model": hash_folder(full)}
        write_manifest(folder, kind=KIND, inputs=inputs, config=asdict(config))


def points(config: GrowthConfig, full: Path, clips: Path) -> Iterator[Point]:
    """Yield all requested points, along each axis from cheap to expensive."""
    corpus = usable("growth", load_any(config.data), 2000, config.seed)
    if corpus.reason is not None:
        raise InputError(f"--data {config.data}: {corpus.reason}")
    window = join_clips(corpus.clips, WINDOW_S, clips)
    fixed = [Request(audio=window.path, tokens=config.fixed_tokens)]
    makers = {
        "length": lambda: lengths(config, full, corpus.clips, clips),
        "clips": lambda: numbers(config, full, corpus.clips, clips),
        "threads": lambda: (
            Point(axis="threads", row=FULL, size=n, folder=full, threads=n, requests=fixed)
            for n in candidates(cores())
        ),
    } | {axis: lambda axis=axis: shapes(config, axis, fixed) for axis in SHAPES}  # type: ignore[misc]
    for axis in config.axes:
        yield from makers[axis]()


def join_clips(clips: list[Clip], seconds: float, folder: Path) -> BenchClip:
    """Join clips to at most `seconds` of speech; the first clip is always included."""
    (run_of_clips,) = long_group(clips, seconds)
    return write(run_of_clips, folder)


def lengths(config: GrowthConfig, full: Path, clips: list[Clip], folder: Path) -> Iterator[Point]:
    """Points of growing length: the start of long speech, with full and with dynamic context."""
    own = with_short_context(full, config.margin_s)
    longest = max(seconds for seconds in LENGTHS_S if seconds <= config.max_s)
    audio = join_clips(clips, longest + WINDOW_S, folder)  # cut to the second when it is read
    for seconds in LENGTHS_S:
        if seconds <= config.max_s:
            request = Request(audio=audio.path, seconds=seconds)
            for row, model in ((FULL, full), (SHORT, own)):
                yield Point(axis="length", row=row, size=seconds, folder=model,
                            threads=config.threads, requests=[request])  # fmt: skip


def numbers(config: GrowthConfig, full: Path, clips: list[Clip], folder: Path) -> Iterator[Point]:
    """Points of growing number: short clips one after another in one process."""
    own = with_short_context(full, config.margin_s)
    drawn = [write(group, folder) for group in short_groups(clips, 50, config.seed)]
    if not drawn:
        raise InputError(f"--data {config.data}: no clip under {SHORT_S:g} s for --axes clips")
    for number in NUMBERS:
        if number <= config.max_clips:
            requests = [Request(audio=drawn[i % len(drawn)].path) for i in range(number)]
            yield Point(axis="clips", row=SHORT, size=number, folder=own,
                        threads=config.threads, requests=requests)  # fmt: skip


def shapes(config: GrowthConfig, axis: str, requests: list[Request]) -> Iterator[Point]:
    """Points of growing models: random weights of growing depth or width, or published shapes."""
    for shape in SHAPES[axis]:
        millions = shape.parameters / 1e6
        size = {"depth": shape.encoder_layers, "width": shape.width, "shape": millions}[axis]
        if millions <= config.max_weights_m:
            yield Point(axis=axis, row=FULL, size=size, folder=shape,
                        threads=config.threads, requests=requests)  # fmt: skip


def measure_point(point: Point, config: GrowthConfig) -> dict[str, Any]:
    """Measure one point as a line of the journal; a random model is written and removed again."""
    place = {"id": point.id, "axis": point.axis, "row": point.row, "size": point.size,
             "unit": UNITS[point.axis]}  # fmt: skip
    if isinstance(point.folder, Path):
        return place | costs(point, point.folder, config)
    with tempfile.TemporaryDirectory(dir=config.output_dir) as scratch:
        folder = Path(scratch) / "model"
        in_child(make_random, point.folder, config.model_path, folder, config.quantization_type)
        return place | costs(point, folder, config)


def costs(point: Point, folder: Path, config: GrowthConfig) -> dict[str, Any]:
    """Median times over the repeats, each of all requests, and the process's peak memory."""
    setup = Setup(folder=folder, threads=point.threads, language=config.language,
                  max_new_tokens=220)  # fmt: skip
    walls, cpus = [], []
    with Worker(open_ours, setup) as worker:
        first = point.requests[0]  # warms up; a window is enough
        worker.ask(replace(first, seconds=min(first.seconds or WINDOW_S, WINDOW_S)))
        for _ in range(config.repeats):
            answers: list[Answer] = [worker.ask(request) for request in point.requests]
            walls.append(sum(answer.wall_s for answer in answers))
            cpus.append(sum(answer.cpu_s for answer in answers))
    peak = answers[-1].peak_rss_bytes
    return {"wall_s": median(walls), "cpu_s": median(cpus), "peak_rss_bytes": peak,
            "repeats": config.repeats, "load_average": os.getloadavg()[0]}  # fmt: skip
