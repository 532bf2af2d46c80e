"""Resolve requirements.lock anew from pyproject.toml: python3.11 scripts/lock.py   (make lock).

Run it with the oldest supported Python: what has wheels there has them on newer ones. torch and the
CUDA packages it brings are left out, because their build is chosen by machine (setup_env.py).
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
    """Exact versions of a fresh install of the project with its dev and bench extras."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "-q"]
    subprocess.run([*pip, "install", "-e", f"{ROOT}[dev,bench]"], check=True)
    listed = [*pip, "list", "--format=freeze", "--exclude-editable"]
    lines = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not BY_MACHINE.match(line)]


def main() -> None:
    """Keep the comment at the head of the lock, replace what follows."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    head = [line for line in LOCK.read_text().splitlines() if line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        versions = resolve(Path(folder) / "venv")
    LOCK.write_text("\n".join([*head, *versions]) + "\n")


if __name__ == "__main__":
    main()
