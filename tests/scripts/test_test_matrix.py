"""The test matrix: versions it asks for, what it runs with them, what it says of failures."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def matrix(monkeypatch):
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "scripts" / "test_matrix.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "matrix", module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_both_ends_of_the_ranges(matrix):
    asked = {case.name: matrix.pinned(case) for case in matrix.CASES}
    assert asked.keys() == {
        "onnxruntime-oldest", "onnxruntime-newest", "transformers-oldest", "transformers-newest"
    }  # fmt: skip
    lowest = min(matrix.requirement("onnxruntime").specifier, key=lambda one: one.operator != ">=")
    assert asked["onnxruntime-oldest"] == f"onnxruntime=={lowest.version}"
    assert asked["onnxruntime-newest"] == str(matrix.requirement("onnxruntime"))


def test_every_test_folder_exists(matrix):
    assert all((ROOT / "tests" / name).is_dir() for case in matrix.CASES for name in case.tests)


def calls(monkeypatch, matrix, tmp_path, failing=""):
    made = []

    def run(command, **settings):
        made.append((command, settings.get("env", {}).get("PYTHONPATH", "")))
        status = int(bool(failing) and failing in made[-1][1])
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    monkeypatch.setattr(matrix.subprocess, "run", run)
    return made


def test_a_case_runs_its_tests_over_its_own_version(matrix, monkeypatch, tmp_path, capsys):
    made = calls(monkeypatch, matrix, tmp_path)
    monkeypatch.setattr(sys, "argv", ["x", "--cases", "onnxruntime-oldest", "-m", "not slow"])
    assert matrix.main() == 0
    (install, _), (tests, path) = made
    assert install[-1].startswith("onnxruntime==") and "--no-deps" in install
    assert path == str(tmp_path / "onnxruntime-oldest")
    assert "tests/oracles" in tests and tests[-2:] == ["-m", "not slow"]
    assert "test matrix: 1 of 1 cases passed" in capsys.readouterr().out


def test_a_failed_case_is_named(matrix, monkeypatch, tmp_path, capsys):
    calls(monkeypatch, matrix, tmp_path, failing="transformers-newest")
    monkeypatch.setattr(sys, "argv", ["x"])
    assert matrix.main() == 1
    assert "3 of 4 cases passed\nfailed: transformers-newest\n" in capsys.readouterr().out


def test_an_unknown_case_is_refused(matrix, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", "--cases", "torch-oldest"])
    with pytest.raises(SystemExit, match="2"):
        matrix.main()
    assert "invalid choice: 'torch-oldest'" in capsys.readouterr().err
