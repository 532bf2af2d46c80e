"""Runtimes without a model, for tests of a worker; importable by a process of its own."""

import os
import signal
import time

from whisper_qat.errors import InputError


class FakeSystem:
    """Answers with the number of its samples, after `delay_s` seconds."""

    def __init__(self, setup) -> None:
        self.setup = setup

    def transcribe(self, audio):
        print("chatter that must not reach the answer")
        if self.setup.options.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.setup.options.get("delay_s", 0.0))
        return f"{len(audio)} samples"

    def decode_fixed(self, audio, tokens):
        time.sleep(0.001 * tokens)
        if tokens > 300:
            raise InputError(f"{tokens} tokens: too many")
        return tokens

    def facts(self):
        return {"fake": "1", "threads": os.environ["OMP_NUM_THREADS"]}


def open_fake(setup):
    if setup.options.get("refuses"):
        raise InputError("refused to open")
    return FakeSystem(setup)
