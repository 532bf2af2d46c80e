"""A process that stays: it opens one model and then times one request after another.

Wall and CPU time are taken inside the process around the request alone; reading the samples is not
in them. CPU time counts all threads (`time.process_time`), so on a busy machine it says what the
wall clock cannot. When the parent is gone its pipe closes and the process ends.
"""

import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.measure.peak_memory import peak_rss_bytes
from whisper_qat.measure.systems.system import Opener, Setup, System
from whisper_qat.runs.child_process import ChildDied

BOOT = f"from {__name__} import serve; serve()"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Samples in a .npy file (or its first `seconds`); `tokens` asks for exactly so many."""

    audio: Path
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`text` or the number of `tokens`, and what they took."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    text: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """How long opening took inside the process, and what the runtime says of itself."""

    open_s: float
    facts: dict[str, str]


class Worker:
    """One model in a process of its own; a context manager."""

    def __init__(self, opener: Opener, setup: Setup) -> None:
        pinned = dict.fromkeys(THREADS, str(setup.threads))
        environment = os.environ | pinned | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", BOOT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        try:
            self.opened: Opened = self._ask((opener, setup))
        except BaseException:
            self.close()
            raise

    def ask(self, request: Request) -> Answer:
        """ChildDied when the process was killed; an exception of the model is raised here."""
        return self._ask(request)

    def close(self) -> None:
        """End the process; a hung one is killed."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):  # what a dead child never read
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, message: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
            succeeded, value = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            status = self._process.wait()
            raise ChildDied(f"its process ended with status {status} (out of memory?)") from None
        if succeeded:
            return value
        raise value


def serve() -> None:
    """The child's side: open what the first message says, then answer until the pipe closes."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # a print must not get into the answers
        try:
            system = _answer(out, _open)
            while system is not None:
                _answer(out, lambda request: (time_request(system, request),) * 2)
        except (EOFError, BrokenPipeError):
            return
        except KeyboardInterrupt:
            sys.exit(130)  # Ctrl-C reaches the parent too


def _answer(out: Any, handle: Callable[[Any], tuple[Any, Any]]) -> Any:
    """Read one message; write (True, value) or (False, exception); the handler's other result."""
    message = pickle.load(sys.stdin.buffer)
    kept = None
    try:
        value, kept = handle(message)
        found = (True, value)
    except Exception as error:
        error.add_note(traceback.format_exc())
        found = (False, error)
    out.write(pickle.dumps(found))
    out.flush()
    return kept


def _open(message: tuple[Opener, Setup]) -> tuple[Opened, System]:
    started = time.perf_counter()
    opener, setup = message
    system = opener(setup)
    return Opened(open_s=time.perf_counter() - started, facts=system.facts()), system


def time_request(system: System, request: Request) -> Answer:
    """Answer one request and say what it took."""
    end = None if request.seconds is None else round(request.seconds * SAMPLE_RATE)
    audio = _samples(request.audio, end)
    wall, cpu = time.perf_counter(), time.process_time()
    if request.tokens is None:
        text, tokens = system.transcribe(audio), None
    else:
        text, tokens = None, system.decode_fixed(audio, request.tokens)
    return Answer(
        wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu,
        peak_rss_bytes=peak_rss_bytes(), text=text, tokens=tokens,
    )  # fmt: skip


def _samples(path: Path, end: int | None) -> NDArray[np.float32]:
    """The first `end` samples of a .npy file; a copy of mapped memory would count twice."""
    stored = np.load(path, mmap_mode="r")
    return np.fromfile(path, stored.dtype, count=len(stored[:end]), offset=stored.offset)
