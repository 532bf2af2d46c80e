"""The lock refuses a second holder, names the first, and dies with it."""

import os
import signal
import subprocess
import sys

import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs.locks import folder_lock

HOLDER = """
import sys, time
from whisper_qat.runs.locks import folder_lock
with folder_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_holder_is_told_the_pid_of_the_first(tmp_path, holder):
    with pytest.raises(InputError, match=rf"in use by another process \(pid {holder.pid}\)"):
        folder_lock(tmp_path).__enter__()


def test_lock_dies_with_its_holder(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with folder_lock(tmp_path) as folder:
        assert (folder / ".lock").read_text() == str(os.getpid())


def test_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="inside"), folder_lock(tmp_path):
        raise RuntimeError("inside")
    with folder_lock(tmp_path):
        pass


def test_lock_makes_the_folder(tmp_path):
    with folder_lock(tmp_path / "a" / "b") as folder:
        assert folder.is_dir()
