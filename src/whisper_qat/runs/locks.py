"""Locks that allow one writer per folder: an ``flock``, which the kernel drops at exit.

A file that merely exists would survive ``kill -9`` and block the rerun; a locked descriptor cannot.
The pid inside the file is only for the message.

The library filelock takes the same flock, but would not make this module shorter: folder, pid and
message would still be handled here. Its releases before 4.2 truncate the file before they have the
lock, so a refused process erases the holder's pid, and all of them fall back by default to a file
that merely exists where a file system has no flock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whisper_qat.errors import InputError

LOCK_NAME = ".lock"


@contextmanager
def folder_lock(folder: str | Path) -> Iterator[Path]:
    """Hold ``folder/.lock`` while the block runs; yields the folder.

    Raises InputError naming the holder's pid when another process holds it. The file itself stays:
    unlinking it would let two processes lock two different files of one name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # "a+" opens without truncating: the holder's pid must stay readable for the second process.
    with open(folder / LOCK_NAME, "a+") as file:
        _acquire(file.fileno(), folder)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield folder


def _acquire(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = (folder / LOCK_NAME).read_text().strip() or "unknown"
        raise InputError(
            f"{folder}: in use by another process (pid {holder}); "
            "wait for it to end or give another output folder"
        ) from None
