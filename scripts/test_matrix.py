"""Test with the oldest and newest libraries: python scripts/test_matrix.py (make test-matrix).

Each case adds one other version of a library on top of the environment, in a separate folder under
.matrix/, and runs the tests that the version can affect: kernel oracles and parity for onnxruntime,
checkpoints and conversion for transformers. The newest version is what pip offers within the range
of pyproject.toml; the oldest is that range's lower end.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".matrix"
KERNELS = ["oracles", "quant", "infer/kernels", "infer/onnx", "export/onnx", "parity"]
CONVERSION = ["model", "export", "tasks/convert", "parity"]
# Older versions of other packages that the oldest transformers needs.
OLD_COMPANIONS = ["huggingface_hub<2", "tokenizers<0.23", "httpx", "httpcore"]
COMPANIONS = {("transformers", "oldest"): OLD_COMPANIONS}


@dataclass(frozen=True)
class Case:
    """One library at one end of its range, and the test folders that it runs."""

    package: str
    end: str
    tests: list[str]

    @property
    def name(self) -> str:
        return f"{self.package}-{self.end}"


CASES = [
    Case(library, end, tests)
    for library, tests in (("onnxruntime", KERNELS), ("transformers", CONVERSION))
    for end in ("oldest", "newest")
]


def requirement(library: str) -> Requirement:
    """The library's line of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [Requirement(line) for line in project["dependencies"]]
    return next(one for one in found if one.name == library)


def pinned(case: Case) -> str:
    """The requirement for pip: the lower end of the range, or the newest version within it."""
    allowed = requirement(case.package)
    if case.end == "newest":
        return str(allowed)
    lowest = next(one.version for one in allowed.specifier if one.operator == ">=")
    return f"{case.package}=={lowest}"


def overlay(case: Case) -> Path:
    """Install the case's version of the library into an empty folder; returns the folder."""
    folder = FOLDER / case.name
    words = [pinned(case), *COMPANIONS.get((case.package, case.end), [])]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
    subprocess.run([*pip, "--target", str(folder), *words], check=True)
    return folder


def run(case: Case, more: list[str]) -> bool:
    """Run the case's tests; True when they pass."""
    folder = overlay(case)
    installed = sorted(path.name for path in folder.glob("*.dist-info"))
    print(f"== {case.name}: {', '.join(installed)}", flush=True)
    paths = [str(Path("tests") / name) for name in case.tests]
    # Warnings of versions other than the locked one are no failures.
    words = ["-q", "-p", "no:cacheprovider", "-o", "filterwarnings=", "-W", "ignore", *more]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "pytest", *paths, *words]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def main() -> int:
    """Run the named cases, or all; exit status 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES])
    words, more = parser.parse_known_args()
    chosen = [case for case in CASES if not words.cases or case.name in words.cases]
    failed = [case.name for case in chosen if not run(case, more)]
    print(f"test matrix: {len(chosen) - len(failed)} of {len(chosen)} cases passed", flush=True)
    for name in failed:
        print(f"failed: {name}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
