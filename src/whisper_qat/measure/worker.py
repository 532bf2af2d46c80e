"""A persistent process that opens one model and then times one request after another.

Wall and CPU time are measured inside the process around the request only, without reading the
samples. CPU time counts all threads (`time.process_time`), so it is meaningful on a busy machine
where wall time is not. When the parent ends, its pipe closes and the process ends too.
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
    """A .npy file of samples, or its first `seconds`; `tokens` asks for exactly so many tokens."""

    audio: Path
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`text` or the number of `tokens`, with time and memory."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    text: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The time to open the model inside the process, and the facts of its runtime."""

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
        """Answer one request; ChildDied if the process was killed, else the model's exception."""
        return self._ask(request)

    def close(self) -> None:
        """End the process, and kill it if it hangs."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):  # a dead child did not read everything
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
    """Run in the child: open the model of the first message, then answer until the pipe closes."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # printed text must not mix with the answers
        try:
            system = _answer(out, _open)
            while system is not None:
                _answer(out, lambda request: (answer_request(system, request),) * 2)
        except (EOFError, BrokenPipeError):
            return
        except KeyboardInterrupt:
            sys.exit(130)  # Ctrl-C reaches the parent as well


def _answer(out: Any, handle: Callable[[Any], tuple[Any, Any]]) -> Any:
    """Read one message and write (True, value) or (False, exception); returns the second result."""
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


def answer_request(system: System, request: Request) -> Answer:
    """Answer one request and measure its time."""
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
    """The first `end` samples of a .npy file; copying mapped memory would count it twice."""
    stored = np.load(path, mmap_mode="r")
    return np.fromfile(path, stored.dtype, count=len(stored[:end]), offset=stored.offset)
