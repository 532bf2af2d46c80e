"""`python -m whisper_qat` is the program."""

import subprocess
import sys


def test_module_runs_the_program():
    command = [sys.executable, "-m", "whisper_qat", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("whisper-qat ")
