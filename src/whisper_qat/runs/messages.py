"""Messages and progress of a command: lines on standard error, at the chosen verbosity.

The library only logs, under its modules' names; this is the one place that decides where messages
go. The results of a command (tables, transcripts) are not messages; they go to standard output.
A process that `runs.child_process` starts has the verbosity of its parent.
"""

import logging
import os
import sys

from tqdm import tqdm

from whisper_qat.runs.progress import DISABLE

PACKAGE = "whisper_qat"
LEVEL = "WHISPER_QAT_LOG_LEVEL"  # verbosity of a process, for its child processes


class AboveBars(logging.Handler):
    """Stream that writes to the present standard error, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


def set_loudness(*, quiet: bool = False, verbose: bool = False) -> None:
    """Show messages from INFO on; `quiet`: from WARNING on and no bars; `verbose`: from DEBUG on.

    Of the processes that ``accelerate launch`` started only the first shows more than warnings.
    """
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    first = os.environ.get("RANK", "0") == "0"
    _show_from(level if first else logging.WARNING)
    if quiet:
        os.environ[DISABLE] = "1"  # child processes inherit it


def inherit_loudness() -> None:
    """In a child process: take over the parent's verbosity, if the parent has set one."""
    if os.environ.get(LEVEL):
        _show_from(int(os.environ[LEVEL]))


def _show_from(level: int) -> None:
    logger = logging.getLogger(PACKAGE)
    if not any(isinstance(handler, AboveBars) for handler in logger.handlers):
        logger.addHandler(AboveBars())
    logger.setLevel(level)
    os.environ[LEVEL] = str(level)
