"""Transcribe many recordings: cut into chunks, decode in batches across recordings, reassemble.

A recording of several chunks keeps a journal beside its output until that is written, so that
chunks decoded before an interruption are not decoded again. A file that cannot be read to its end
fails without affecting the others.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.recordings import Recording
from whisper_qat.data.audio.stream import blocks
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S
from whisper_qat.infer.decoding.greedy import Decoded
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.infer.transcribe import DecodedChunk, Transcriber, Transcription, chunk_at
from whisper_qat.runs.journal import Journal, repair


@dataclass
class Work:
    """A recording in progress, with the state of its chunks by their first sample."""

    recording: Recording
    known: dict[str, dict[str, Any]]
    journal: Journal | None
    resources: ExitStack = field(default_factory=ExitStack)
    found: dict[int, DecodedChunk] = field(default_factory=dict)
    waiting: int = 0
    read: bool = False
    wall_s: float = 0.0
    error: InputError | None = None


@dataclass(frozen=True)
class Piece:
    work: Work
    start: int
    audio: NDArray[np.float32]


@dataclass
class Queue:
    """A queue that calls `finish` or `fail` once per recording, `advance` with seconds decoded."""

    transcriber: Transcriber
    finish: Callable[[Recording, Transcription], None]
    fail: Callable[[Recording, InputError], None]
    advance: Callable[[float], object]
    waiting: list[Piece] = field(default_factory=list)
    open: list[Work] = field(default_factory=list)

    def run(self, recordings: Sequence[Recording]) -> None:
        """Transcribe all of them; InputError when the model itself cannot be used."""
        try:
            for recording in recordings:
                self._take(start(recording))
            self._decode()
        finally:
            for work in self.open:
                close(work, finished=False)

    def _take(self, work: Work) -> None:
        self.open.append(work)
        first = 0
        for audio in readable(work):
            if (record := work.known.get(chunk_id(work.recording, first))) is not None:
                self._add(Piece(work, first, audio), read_back(record))
            else:
                self.waiting.append(Piece(work, first, audio))
                work.waiting += 1
            first += len(audio)
            if len(self.waiting) == self.transcriber.batch_size:
                self._decode()
        work.read = True
        if work.error is not None:
            self.waiting = [piece for piece in self.waiting if piece.work is not work]
        self._close_finished()

    def _decode(self) -> None:
        """Decode the waiting chunks in one batch."""
        batch, self.waiting = self.waiting, []
        if batch:
            started = time.perf_counter()
            found = self.transcriber.decode([piece.audio for piece in batch])
            share = (time.perf_counter() - started) / len(batch)
            for piece, decoded in zip(batch, found, strict=True):
                piece.work.waiting -= 1
                piece.work.wall_s += share
                write_down(piece, decoded)
                self._add(piece, decoded)
        self._close_finished()

    def _add(self, piece: Piece, decoded: Decoded) -> None:
        chunk = chunk_at(piece.start, len(piece.audio), decoded)
        piece.work.found[piece.start] = chunk
        self.advance(chunk.end_s - chunk.start_s)

    def _close_finished(self) -> None:
        for work in [w for w in self.open if w.read and (w.error or not w.waiting)]:
            self.open.remove(work)
            if work.error is not None:
                close(work, finished=False)
                self.fail(work.recording, work.error)
                continue
            in_order = [work.found[first] for first in sorted(work.found)]
            self.finish(work.recording, self.transcriber.assemble(in_order, work.wall_s))
            close(work, finished=True)


def start(recording: Recording) -> Work:
    """Start a recording, with the chunks that an interrupted run has decoded."""
    if recording.output is None or recording.duration_s <= WINDOW_S:
        return Work(recording, {}, None)
    path = journal_path(recording.output)
    known = {record["id"]: record for record in repair(path)}
    resources = ExitStack()
    return Work(recording, known, resources.enter_context(Journal(path)), resources)


def journal_path(output: Path) -> Path:
    """Where the chunks of an unfinished recording are kept."""
    return output.with_name(f".{output.name}.chunks")


def chunk_id(recording: Recording, first: int) -> str:
    """Identify a chunk in this version of the file: a modified file has other ids."""
    status = recording.path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}-{first}"


def readable(work: Work) -> Iterator[NDArray[np.float32]]:
    """The chunks of a recording; an InputError while reading is stored in `work`."""
    try:
        yield from chunks(blocks(work.recording.path))
    except InputError as error:
        work.error = error


def write_down(piece: Piece, decoded: Decoded) -> None:
    """Write a chunk to the journal, if there is one, without margins (no transcript needs them)."""
    if piece.work.journal is not None:
        id = chunk_id(piece.work.recording, piece.start)
        record = {"id": id, "tokens": decoded.tokens, "ended": decoded.ended}
        piece.work.journal.append(record | {"temperature": decoded.temperature})


def read_back(record: dict[str, Any]) -> Decoded:
    """Restore a chunk from what `write_down` wrote."""
    return Decoded(
        tokens=record["tokens"],
        margins=[],
        ended=record["ended"],
        temperature=record.get("temperature", 0.0),  # missing in journals of earlier versions
    )


def close(work: Work, *, finished: bool) -> None:
    """Close the journal, and delete it when the transcript is written."""
    work.resources.close()
    if finished and work.journal is not None and work.recording.output is not None:
        journal_path(work.recording.output).unlink()
