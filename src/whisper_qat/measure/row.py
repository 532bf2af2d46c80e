"""Measure one row of an evaluation: transcribe all clips with one model, timed one by one.

The measurement runs in a process of its own, whose peak memory is that of the row; a row on
onnxruntime does not load torch. The time of a clip includes features, encoder, decoder and
detokenisation, but not reading and decoding the audio file.
"""

import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.kernels.kernel_check import KernelMismatch
from whisper_qat.infer.transcribe import Transcriber, Transcription
from whisper_qat.measure.peak_memory import peak_rss_bytes
from whisper_qat.runs.child_process import orphaned
from whisper_qat.runs.journal import Journal
from whisper_qat.runs.progress import Bar

logger = logging.getLogger(__name__)
WARM_UP_CLIPS = 3
BAR = "{desc} {percentage:3.0f}% {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}, {rate_fmt}]"


@dataclass(frozen=True, kw_only=True)
class CorpusJob:
    """The clips of a corpus, with known durations, and the file for their records."""

    name: str
    clips: list[Clip]
    path: Path


@dataclass(frozen=True, kw_only=True)
class RowJob:
    """One model, the clips to transcribe, and the decoding fallback for repetitive text."""

    name: str
    folder: str
    runtime: str
    threads: int
    language: str
    max_new_tokens: int | None
    corpora: list[CorpusJob]
    fallback: Fallback | None = None


@dataclass(frozen=True, kw_only=True)
class RowMeasure:
    """Measurements of a row apart from its clips.

    `rss_before_load_bytes` is the memory of Python and its libraries before the model is loaded;
    it includes torch only for a row on torch.
    """

    load_s: float
    rss_before_load_bytes: int
    peak_rss_bytes: int
    warnings: list[str]


def open_on_onnx(job: RowJob) -> Transcriber:
    """Open the converted folder of the row on onnxruntime."""
    return Transcriber.from_folder(
        job.folder, job.threads,
        language=job.language, max_new_tokens=job.max_new_tokens, fallback=job.fallback,
    )  # fmt: skip


def measure_row(
    job: RowJob, open_model: Callable[[RowJob], Transcriber] = open_on_onnx
) -> RowMeasure:
    """Transcribe the clips that have no record yet; InputError for an unusable model or clip."""
    before = peak_rss_bytes()
    started = time.perf_counter()
    transcriber, mismatches = load(job, open_model)
    load_s = time.perf_counter() - started
    with ExitStack() as stack:
        journals = [stack.enter_context(Journal(corpus.path)) for corpus in job.corpora]
        done = {c.name: j.done for c, j in zip(job.corpora, journals, strict=True)}
        warm_up(transcriber, [clip for corpus in job.corpora for clip in corpus.clips])
        bar = stack.enter_context(progress(job, done))
        by_corpus = {c.name: j for c, j in zip(job.corpora, journals, strict=True)}
        for name, clip in list(unmeasured(job, done)):
            record = measure_clip(transcriber, clip)
            if orphaned():
                sys.exit(1)  # a new run may already be writing the same files
            by_corpus[name].append(record)
            bar.update(record["duration_s"])
    return RowMeasure(
        load_s=load_s,
        rss_before_load_bytes=before,
        peak_rss_bytes=peak_rss_bytes(),
        warnings=mismatches,
    )


def load(
    job: RowJob, open_model: Callable[[RowJob], Transcriber] = open_on_onnx
) -> tuple[Transcriber, list[str]]:
    """The transcriber of the row, and the warnings of its kernel check."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", KernelMismatch)
        transcriber = open_model(job)
    mismatches = [str(w.message) for w in caught if issubclass(w.category, KernelMismatch)]
    for message in mismatches:
        logger.warning(f"{job.name}: warning: {message}")
    return transcriber, mismatches


def unmeasured(job: RowJob, done: dict[str, set[str]]) -> Iterator[tuple[str, Clip]]:
    """(corpus, clip) for all clips without a record, in order."""
    for corpus in job.corpora:
        for clip in corpus.clips:
            if clip.id not in done[corpus.name]:
                yield corpus.name, clip


def warm_up(transcriber: Transcriber, clips: list[Clip]) -> None:
    """Transcribe a few clips untimed, because first runs allocate memory and load pages."""
    for clip in clips[:WARM_UP_CLIPS]:
        transcriber.transcribe(read_audio(clip))


def progress(job: RowJob, done: dict[str, set[str]]) -> Bar:
    """A progress bar over the seconds of audio; its rate is the speed relative to real time."""
    clips = [(corpus.name, clip) for corpus in job.corpora for clip in corpus.clips]
    total = sum(clip.duration_s or 0 for _, clip in clips)
    have = sum(clip.duration_s or 0 for name, clip in clips if clip.id in done[name])
    return Bar(total=total, initial=have, desc=job.name, unit="s", bar_format=BAR)


def measure_clip(transcriber: Transcriber, clip: Clip) -> dict[str, Any]:
    """The record of one clip, ready for its file."""
    found: Transcription = transcriber.transcribe(read_audio(clip))
    lowest = min(found.margins, default=math.inf)
    return {
        "id": clip.id,
        "reference": clip.text,
        "hypothesis": found.text,
        "duration_s": clip.duration_s,
        "speaker": clip.speaker,
        "wall_s": round(found.wall_s, 6),
        "tokens": found.tokens,
        "chunks": found.chunks,
        "lowest_margin": lowest if math.isfinite(lowest) else None,
        "repetitions": [asdict(repetition) for repetition in found.repetitions],
    }
