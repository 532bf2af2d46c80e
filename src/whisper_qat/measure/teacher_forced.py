"""Teacher-forced pass: each row predicts every token of the reference text of each clip.

The pass yields the loss on the reference text and, compared with a reference row (usually the float
control), KL and agreement of the top token. These measures are finer than WER, because every token
counts and none is decoded. Labels are those of training, each row uses its own audio context, and
no decoder filter applies.

The pass runs after the rows have been timed, in a process of its own. Rows that share a reference
row are measured together: the logits of the reference row are computed once for a batch of clips
and held in memory up to MAX_TOKENS, and the model of each row is loaded once for each batch.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.loader import Labeller
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S
from whisper_qat.infer.kernels.kernel_check import KernelMismatch
from whisper_qat.infer.runtimes import open_transcriber
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.metrics.divergence import agreements, kl_divergences, losses
from whisper_qat.runs.child_process import orphaned
from whisper_qat.runs.folders import read_json
from whisper_qat.runs.journal import Journal
from whisper_qat.runs.progress import Bar

MAX_TOKENS = 2_500  # of the reference row's logits held at once: 0.5 GB at 51,866 float32 each
TOKENS_PER_SECOND = 5  # of French read aloud; affects only the sizes of batches
Logits = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ForcedRow:
    """One model and, for each corpus, the file for its records."""

    name: str
    folder: str
    runtime: str
    paths: dict[str, Path]


@dataclass(frozen=True, kw_only=True)
class ForcedJob:
    """Rows to compare with `reference`; without one they have a loss but no KL."""

    reference: ForcedRow | None
    rows: list[ForcedRow]
    corpora: dict[str, list[Clip]]
    threads: int
    language: str


@dataclass(frozen=True)
class Reader:
    """The model of a row, with the labeller that turns reference texts into tokens."""

    transcriber: Transcriber
    labeller: Labeller

    @classmethod
    def load(cls, row: ForcedRow, job: ForcedJob) -> "Reader":
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", KernelMismatch
            )  # was reported when the row was transcribed
            transcriber = open_transcriber(
                row.folder, row.runtime, job.threads, language=job.language
            )
        config = read_json(Path(row.folder) / "config.json")
        labeller = Labeller.from_pretrained(
            Path(row.folder),
            transcriber.rules.prompt,
            config["eos_token_id"],
            config["max_target_positions"],
        )
        return cls(transcriber, labeller)

    def read(self, clip: Clip) -> tuple[Logits, NDArray[np.int64]]:
        """Logits [n, V] on the reference text and its labels [n], including the end of text."""
        tokens = np.array(self.labeller(clip.text), np.int64)
        mel = self.transcriber.features.log_mel(read_audio(clip), self.transcriber.context)
        backend = self.transcriber.backend
        logits = backend.logits(tokens[None, :-1], backend.encode(mel[None]))[0]
        start = len(self.labeller.prompt)
        return logits[start - 1 :], tokens[start:]

    def reason_to_skip(self, clip: Clip) -> str | None:
        """Why a clip cannot be measured; None if it can."""
        if (clip.duration_s or 0) > WINDOW_S:
            return f"its {clip.duration_s:.1f} s of audio exceed the window of {WINDOW_S} s"
        if not self.labeller.fits(clip.text):
            return f"its text has more tokens than the decoder allows ({self.labeller.max_tokens})"
        return None


def measure_forced(job: ForcedJob) -> None:
    """Measure the clips that have no record yet; InputError if a model cannot be used."""
    torch.set_num_threads(job.threads)
    with ExitStack() as stack:
        journals = {
            (row.name, corpus): stack.enter_context(Journal(path))
            for row in job.rows
            for corpus, path in row.paths.items()
        }
        missing = sum(
            clip.id not in journals[row.name, corpus].done
            for row in job.rows
            for corpus, clips in job.corpora.items()
            for clip in clips
        )
        bar = stack.enter_context(Bar(total=missing, desc="teacher-forced", unit="clip"))
        for corpus, batch in batches(job, journals):
            _measure_batch(job, corpus, batch, journals, bar)


def batches(
    job: ForcedJob, journals: dict[tuple[str, str], Journal]
) -> Iterator[tuple[str, list[Clip]]]:
    """(corpus, clips without a record of some row), in batches of about MAX_TOKENS tokens."""
    for corpus, clips in job.corpora.items():
        batch: list[Clip] = []
        seconds = 0.0
        for clip in clips:
            if all(clip.id in journals[row.name, corpus].done for row in job.rows):
                continue
            if batch and (seconds + (clip.duration_s or 0)) * TOKENS_PER_SECOND > MAX_TOKENS:
                yield corpus, batch
                batch, seconds = [], 0.0
            batch.append(clip)
            seconds += clip.duration_s or 0
        if batch:
            yield corpus, batch


def _measure_batch(
    job: ForcedJob,
    corpus: str,
    batch: list[Clip],
    journals: dict[tuple[str, str], Journal],
    bar: Bar,
) -> None:
    held = {} if job.reference is None else reference_logits(job.reference, job, batch)
    for row in job.rows:
        journal = journals[row.name, corpus]
        left = [clip for clip in batch if clip.id not in journal.done]
        if not left:
            continue
        reader = Reader.load(row, job)
        for clip in left:
            record = measure_clip(reader, clip, held.get(clip.id), row.name)
            if orphaned():
                sys.exit(1)  # a new run may already be writing the same files
            journal.append(record)
            bar.update()


def reference_logits(
    reference: ForcedRow, job: ForcedJob, batch: list[Clip]
) -> dict[str, tuple[Logits, NDArray[np.int64]]]:
    """Logits and labels of the reference row by clip id, for the clips that it can measure."""
    reader = Reader.load(reference, job)
    return {clip.id: reader.read(clip) for clip in batch if reader.reason_to_skip(clip) is None}


def measure_clip(
    reader: Reader, clip: Clip, reference: tuple[Logits, NDArray[np.int64]] | None, name: str
) -> dict[str, Any]:
    """The record of one clip; `kl` and `agreeing` are None without comparable logits.

    Logits are comparable if both models have the same vocabulary and the same tokens for the text.
    """
    reason = reader.reason_to_skip(clip)
    if reason is not None:
        return {"id": clip.id, "skipped": reason}
    logits, labels = reader.read(clip)
    if not np.isfinite(logits).all():
        raise InputError(f"row {name}: clip {clip.id}: the logits are not finite numbers")
    record: dict[str, Any] = {
        "id": clip.id,
        "tokens": len(labels),
        "loss": float(losses(logits, labels).sum()),
        "kl": None,
        "agreeing": None,
    }
    if reference is None:
        return record
    expected, expected_labels = reference
    if expected.shape != logits.shape or (expected_labels != labels).any():
        return record
    return record | {
        "kl": float(kl_divergences(expected, logits).sum()),
        "agreeing": agreements(expected, logits),
    }
