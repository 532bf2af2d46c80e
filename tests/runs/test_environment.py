"""The record of the machine: from files and commands that may be missing."""

import subprocess
from pathlib import Path

import pytest

from whisper_qat.runs import environment

X86 = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu avx2 avx512f avx512_vnni

processor\t: 1
model name\t: Other
"""


def test_cpu_reads_the_first_processor(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(X86)
    assert environment.cpu(path) == {
        "name": "Some CPU @ 2.00GHz",
        "isa": ["avx2", "avx512f", "avx512_vnni"],
    }


def test_cpu_without_cpuinfo_still_has_a_name(tmp_path):
    found = environment.cpu(tmp_path / "none")
    assert found["name"]
    assert found["isa"] == []


def test_package_versions_name_what_is_installed():
    found = environment.package_versions()
    assert {"python", "torch", "onnxruntime", "whisper-qat"} <= found.keys()


@pytest.mark.parametrize("exit_status", [0, 1], ids=["gpu", "driver fails"])
def test_gpu(tmp_path, monkeypatch, exit_status):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho 'H100, 80000 MiB, 550.1'\nexit {exit_status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.gpu() == (None if exit_status else "H100, 80000 MiB, 550.1")


def test_no_gpu_tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.gpu() is None


def test_git_revision_marks_changes(tmp_path):
    def git(*words: str) -> str:
        names = ["-c", "user.name=n", "-c", "user.email=e@x"]
        command = ["git", "-C", str(tmp_path), *names, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert environment.git_revision(tmp_path) is None
    git("init", "-q")
    Path(tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    head = git("rev-parse", "HEAD").strip()
    assert environment.git_revision(tmp_path) == head
    Path(tmp_path / "a").write_text("2")
    assert environment.git_revision(tmp_path) == head + "-dirty"


@pytest.mark.parametrize(
    ("isa", "kind"),
    [
        (["avx2"], "x64 without VNNI"),
        (["avx2", "avx512f"], "x64 without VNNI"),
        (["avx2", "avx_vnni"], "x64 with AVX-VNNI"),
        (["avx2", "avx_vnni", "avx512_vnni"], "x64 with AVX512-VNNI"),
        (["avx512_vnni", "amx_int8"], "x64 with AMX"),
        (["asimddp"], "ARM64 with dot products"),
        ([], "unknown kind"),
    ],
)
def test_the_kind_of_cpu_follows_from_its_flags(isa, kind):
    assert environment.cpu_kind(isa) == kind
