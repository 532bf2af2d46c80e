"""Interrupt: the first signal is a request, the second stops; handlers are put back."""

import os
import signal

import pytest

from whisper_qat.train.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_and_second_signal(number, caplog):
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert not interrupt.requested
        os.kill(os.getpid(), number)
        assert interrupt.requested
        assert "finishing this step, then saving" in caplog.text
        with pytest.raises(
            KeyboardInterrupt, match="stopped at once; the last checkpoint is whole"
        ):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
