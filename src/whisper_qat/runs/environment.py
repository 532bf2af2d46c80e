"""Describe the machine and the installation, for every manifest.

No large package is imported: package versions come from their metadata, the GPU from
``nvidia-smi``, so a folder can be described in milliseconds.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "whisper-qat",
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "numpy",
    "scipy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "soundfile",
    "soxr",
    "jiwer",
    "whisper-normalizer",
    "text2num",
    "num2words",
)
# The flags that choose between integer kernels: the same model may round or run differently there.
ISA_FLAGS = (
    "avx2",
    "avx512f",
    "avx512bw",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
)


def package_versions() -> dict[str, str]:
    """Version of each package in PACKAGES that is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu(cpuinfo: str | Path = "/proc/cpuinfo") -> dict[str, Any]:
    """Name, instruction-set flags of interest and the core count of this machine's CPU."""
    fields = _cpu_fields(Path(cpuinfo))
    name = fields.get("model name") or platform.processor() or platform.machine()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return {"name": name, "isa": [flag for flag in ISA_FLAGS if flag in flags]}


def cpu_kind(isa: Sequence[str]) -> str:
    """The kind of CPU in the sense that decides how fast 8-bit products are, from its flags."""
    flags = set(isa)
    if "amx_int8" in flags:
        return "x64 with AMX"
    if "avx512_vnni" in flags:
        return "x64 with AVX512-VNNI"
    if "avx_vnni" in flags:
        return "x64 with AVX-VNNI"
    if "avx2" in flags:
        return "x64 without VNNI"
    if flags & {"asimddp", "i8mm"}:
        return "ARM64 with dot products"
    return "unknown kind"


def num_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_fields(path: Path) -> dict[str, str]:
    """Fields of the first processor in a cpuinfo file; empty where the system has none."""
    if not path.is_file():
        return {}
    first = path.read_text(errors="replace").split("\n\n", 1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def gpu() -> str | None:
    """Name, memory and driver of the first GPU, or None without a working ``nvidia-smi``."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    lines = _output(query)
    return lines.splitlines()[0].strip() if lines else None


def git_revision(folder: str | Path = Path(__file__).parent) -> str | None:
    """Commit of the checkout that ``folder`` lies in, ``-dirty`` when tracked files differ."""
    revision = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if not revision:
        return None
    changed = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    return revision.strip() + ("-dirty" if changed else "")


def _output(command: list[str]) -> str:
    """Standard output of a command that may be missing or fail; then the empty string."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
