"""Messages and progress of a command: plain lines on standard error, as loud as was asked for.

The library only logs, under its modules' names; this is the one place that decides where messages
go. What a command is run for (tables, transcripts) goes to standard output and is no message.
A process that `runs.child_process` starts is as loud as its parent.
"""

import logging
import os
import sys

from tqdm import tqdm

from whisper_qat.runs.progress import DISABLE

PACKAGE = "whisper_qat"
LEVEL = "WHISPER_QAT_LOG_LEVEL"  # how loud a process is, for those that it starts


class AboveBars(logging.Handler):
    """Writes to standard error as it is at that moment, above a progress bar where there is one."""

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
        os.environ[DISABLE] = "1"  # processes that this one starts inherit it


def inherit_loudness() -> None:
    """In a child process: be as loud as the parent, if that was decided there."""
    if os.environ.get(LEVEL):
        _show_from(int(os.environ[LEVEL]))


def _show_from(level: int) -> None:
    logger = logging.getLogger(PACKAGE)
    if not any(isinstance(handler, AboveBars) for handler in logger.handlers):
        logger.addHandler(AboveBars())
    logger.setLevel(level)
    os.environ[LEVEL] = str(level)
