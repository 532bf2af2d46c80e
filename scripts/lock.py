"""Write requirements.lock again from pyproject.toml: python3.11 scripts/lock.py   (make lock).

Run it with the oldest supported Python: packages with wheels for it have wheels for newer ones.
torch and its CUDA packages are left out, because setup_env.py chooses their build for each machine.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
BY_MACHINE = re.compile(r"(pip|setuptools|torch|triton|nvidia-.*|cuda-.*)==", re.IGNORECASE)


def resolve(venv: Path) -> list[str]:
    """The exact versions in a fresh install of the project with its dev and bench extras."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "-q"]
    subprocess.run([*pip, "install", "-e", f"{ROOT}[dev,bench]"], check=True)
    listed = [*pip, "list", "--format=freeze", "--exclude-editable"]
    lines = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not BY_MACHINE.match(line)]


def main() -> None:
    """Replace the content of the lock below the comment at its head."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    head = [line for line in LOCK.read_text().splitlines() if line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        versions = resolve(Path(folder) / "venv")
    LOCK.write_text("\n".join([*head, *versions]) + "\n")


if __name__ == "__main__":
    main()
