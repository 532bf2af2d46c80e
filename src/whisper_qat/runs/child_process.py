"""Run a function in a fresh process, so that its peak memory can be measured by itself.

A new interpreter imports only what the function needs: multiprocessing's spawn
would first import the parent's main script with all that it imports. The call goes in and the
result or exception comes out by pickle over pipes. A child whose parent was killed finds out by
`orphaned` and must stop by itself: the lock on what it writes went with the parent.
"""

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from whisper_qat.errors import GateError
from whisper_qat.runs.messages import inherit_loudness

Result = TypeVar("Result")

PARENT = "WHISPER_QAT_PARENT_PID"
BOOT = f"from {__name__} import serve; serve()"


class ChildDied(GateError):
    """The process ended without a result, most often because memory ran out."""


def in_child(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call `function(*arguments)` in a new process; its exception is raised here.

    The function must be importable and all values picklable; what it prints goes to stderr.
    ChildDied when the process was killed. An interrupt of the caller ends the process.
    """
    environment = os.environ | {PARENT: str(os.getpid()), "PYTHONPATH": os.pathsep.join(sys.path)}
    call = pickle.dumps((function, arguments))
    process = subprocess.Popen(
        [sys.executable, "-c", BOOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    try:
        answer, _ = process.communicate(call)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0 or not answer:
        raise ChildDied(f"its process ended with status {process.returncode} (out of memory?)")
    succeeded, value = pickle.loads(answer)
    if succeeded:
        return value
    raise value


def serve() -> None:
    """The child's side: read one call from stdin, write (True, result) or (False, exception)."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # a print must not get into the answer
        inherit_loudness()
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
            out.write(answer_of(function, arguments))
        except KeyboardInterrupt:
            sys.exit(130)  # Ctrl-C reaches the parent too, which says what to do


def answer_of(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """The pickled outcome of a call; an exception carries its traceback as a note."""
    try:
        return pickle.dumps((True, function(*arguments)))
    except Exception as error:
        error.add_note(traceback.format_exc())  # a traceback itself does not travel
        return pickle.dumps((False, error))


def orphaned() -> bool:
    """True in a child whose parent is gone."""
    parent = os.environ.get(PARENT)
    return parent is not None and os.getppid() != int(parent)
