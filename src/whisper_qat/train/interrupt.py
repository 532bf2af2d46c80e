"""Interrupts: Ctrl-C and SIGTERM ask the training loop to stop after the current step."""

import logging
import signal
from types import FrameType

logger = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, the first signal only sets `requested`; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> "Interrupt":
        self.before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt("stopped at once; the last checkpoint is whole")
        self.requested = True
        # A line of its own: the terminal has just written ^C.
        logger.warning("\ninterrupted: finishing this step, then saving (again to stop at once)")
