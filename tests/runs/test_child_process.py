"""A function in its own process: values, exceptions, deaths, prints and orphans."""

import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs.child_process import PARENT, ChildDied, in_child, orphaned
from whisper_qat.runs.messages import set_loudness


def refuse(value):
    raise InputError(f"{value}: not wanted")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def chatter():
    print("a print of the function")
    return os.getpid()


def report():
    logging.getLogger("whisper_qat.tasks.any").info("done")
    logging.getLogger("whisper_qat.tasks.any").warning("careful")


def test_result_comes_back_from_another_process(capfd):
    assert in_child(chatter) != os.getpid()
    assert "a print" in capfd.readouterr().err


@pytest.mark.parametrize(("quiet", "shown"), [(True, "careful\n"), (False, "done\ncareful\n")])
def test_a_child_is_as_loud_as_its_parent(capfd, quiet, shown):
    set_loudness(quiet=quiet)
    in_child(report)
    assert capfd.readouterr().err == shown


def test_exception_comes_back_as_it_is():
    with pytest.raises(InputError, match="7: not wanted") as caught:
        in_child(refuse, 7)
    assert "in refuse" in caught.value.__notes__[0]


def test_a_killed_child_is_said_to_be():
    with pytest.raises(ChildDied, match="status -9"):
        in_child(die)


def test_interrupt_ends_the_child(tmp_path):
    """Sent when the child is at work; whoever runs the tests may have SIGINT ignored."""
    at_work = tmp_path / "at_work"
    work = f"import pathlib, time; pathlib.Path({str(at_work)!r}).touch(); time.sleep(600)"
    code = f"from whisper_qat.runs.child_process import in_child\nin_child(exec, {work!r})\n"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as parent:  # fmt: skip
        try:
            while not at_work.exists() and parent.poll() is None:
                time.sleep(0.1)
            parent.send_signal(signal.SIGINT)
            _, told = parent.communicate(timeout=300)
        finally:
            parent.kill()
    assert "KeyboardInterrupt" in told


def test_a_process_without_that_parent_is_an_orphan(monkeypatch):
    monkeypatch.delenv(PARENT, raising=False)
    assert not orphaned()
    monkeypatch.setenv(PARENT, str(os.getppid()))
    assert not orphaned()
    monkeypatch.setenv(PARENT, "1234567")
    assert orphaned()
