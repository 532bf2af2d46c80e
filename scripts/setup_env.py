"""Create the virtual environment: python3 scripts/setup_env.py [VENV_FOLDER]   (make setup).

It installs the right torch, then the exact versions of requirements.lock, then this package. A GPU
torch that the creating Python already has is kept (seen through --system-site-packages); otherwise
a machine with an NVIDIA driver gets the default build, any other the CPU build, which is a tenth of
the download.

A stamp file is written last and holds a hash of the files that decide what is installed: a run that
finds it does nothing; after an interruption, just run the script again. Standard library only, and
nothing newer than Python 3.6, so that the script can report a Python that is too old.
"""

import hashlib
import os
import subprocess
import sys
from typing import NoReturn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INPUTS = ("pyproject.toml", "requirements.lock")
OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 6)
# Not in the lock: which build of it is right depends on the machine.
TORCH = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = ".setup-stamp"
PROBE = "import torch; v = torch.version; print(torch.__version__, v.cuda or v.hip or 'cpu')"


def main(venv: str) -> None:
    wanted = fingerprint()
    stamp = os.path.join(venv, STAMP)
    if read(stamp) == wanted:
        os.utime(stamp)
        return
    check_python()
    torch = existing_torch()
    create(venv, see_system=torch is not None)
    python = os.path.join(venv, "bin", "python")
    torch = torch or install_torch(python)
    install(python, torch)
    with open(stamp + ".new", "w") as file:
        file.write(wanted)
    os.replace(stamp + ".new", stamp)
    say("ready: %s" % venv)


def fingerprint() -> str:
    """Hash of the files that decide what is installed."""
    digest = hashlib.sha256(TORCH.encode())
    for name in INPUTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read(path: str) -> "str | None":
    if not os.path.isfile(path):
        return None
    with open(path) as file:
        return file.read()


def check_python(version: tuple = tuple(sys.version_info)) -> None:
    if version[:2] < OLDEST_PYTHON:
        fail(
            "Python %d.%d is too old: 3.11 or newer is needed; name one with "
            "'make setup PYTHON=python3.12'" % version[:2]
        )
    try:
        __import__("ensurepip")
        __import__("venv")
    except ImportError:
        fail("this Python cannot make virtual environments; on Debian: apt install python3-venv")


def existing_torch() -> "str | None":
    """Version of a GPU torch that the creating Python has, else None."""
    probe = [sys.executable, "-c", PROBE]
    done = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    words = done.stdout.decode().split()
    if done.returncode or len(words) != 2 or words[1] == "cpu":
        return None
    if release(words[0]) < OLDEST_TORCH:
        fail(
            "the GPU torch %s of %s is older than %d.%d; upgrade it, or name another Python with "
            "'make setup PYTHON=...'" % ((words[0], sys.executable) + OLDEST_TORCH)
        )
    say("keeping the GPU torch %s of %s" % (words[0], sys.executable))
    return words[0]


def release(version: str) -> tuple:
    """``"2.6.0+cu124"`` as (2, 6)."""
    return tuple(int(part) for part in version.split("+")[0].split(".")[:2])


def create(venv: str, see_system: bool) -> None:
    """Create the environment, unless a working one exists."""
    python = os.path.join(venv, "bin", "python")
    if os.path.exists(python) and quiet([python, "-m", "pip", "--version"]):
        return
    say("creating %s" % venv)
    more = ["--system-site-packages"] if see_system else []
    run([sys.executable, "-m", "venv", "--clear"] + more + [venv])


def install_torch(python: str) -> str:
    """Install the build of torch that suits this machine; returns its version."""
    if not quiet([python, "-c", "import torch"]):
        words, why = torch_words(python)
        say("installing torch %s (%s)" % (TORCH, why))
        run(pip(python) + words)
    probe = [python, "-c", PROBE]  # torch warns while numpy is missing
    return subprocess.check_output(probe, stderr=subprocess.DEVNULL).decode().split()[0]


def torch_words(python: str) -> tuple:
    """The torch requirement for pip, and the reason for it."""
    if quiet(["nvidia-smi"]):
        return ["torch==%s" % TORCH], "NVIDIA driver found"
    if sys.platform != "linux":
        return ["torch==%s" % TORCH], "the default build has no CUDA on this system"
    local = "torch==%s+cpu" % TORCH
    if quiet(pip(python) + ["--dry-run", "--no-deps", local]):
        return [local], "CPU build that pip already knows"
    return ["torch==%s" % TORCH, "--index-url", CPU_INDEX], "CPU build: no NVIDIA driver"


def install(python: str, torch: str) -> None:
    """Install the locked packages and this project without changing torch."""
    constraint = os.path.join(os.path.dirname(os.path.dirname(python)), ".keep-torch.txt")
    with open(constraint, "w") as file:
        file.write("torch==%s\n" % torch)
    say("installing the versions of requirements.lock")
    lock = os.path.join(ROOT, "requirements.lock")
    run(pip(python) + ["-r", lock, "-c", constraint])
    run(pip(python) + ["--no-deps", "-e", ROOT])


def pip(python: str) -> list:
    # Twice quiet: errors alone. pip's warnings are about its own settings, one for every package.
    return [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]


def quiet(command: list) -> bool:
    """True when the command exists and succeeds."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def run(command: list) -> None:
    if subprocess.run(command).returncode:
        words = " ".join(command)
        fail("failed: %s\nsetup: nothing is lost; 'make setup' goes on from here" % words)


def say(text: str) -> None:
    print("setup: " + text, flush=True)


def fail(text: str) -> NoReturn:
    sys.exit("setup: " + text)


if __name__ == "__main__":
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        sys.exit()
    try:
        main(os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, ".venv")))
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; 'make setup' goes on from here")
