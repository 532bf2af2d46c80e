"""The setup script: which torch, what it says when it cannot, and that it does nothing twice."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup_env.py"


@pytest.fixture
def setup_env():
    spec = importlib.util.spec_from_file_location("setup_env", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fake_python(tmp_path, printed: str, status: int = 0) -> str:
    """An executable that answers every command like one Python with or without torch."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\necho '{printed}'\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("printed", "status", "found"),
    [
        ("2.9.0+cu128 12.8", 0, "2.9.0+cu128"),
        ("2.9.0+rocm6 6.4", 0, "2.9.0+rocm6"),
        ("2.13.0+cpu cpu", 0, None),
        ("", 1, None),
    ],
    ids=["cuda", "rocm", "cpu build", "none"],
)
def test_existing_gpu_torch_is_kept(setup_env, tmp_path, monkeypatch, printed, status, found):
    monkeypatch.setattr(sys, "executable", fake_python(tmp_path, printed, status))
    assert setup_env.existing_torch() == found


def test_old_gpu_torch_is_refused(setup_env, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", fake_python(tmp_path, "2.4.1+cu121 12.1"))
    with pytest.raises(SystemExit, match=r"GPU torch 2\.4\.1\+cu121 of .* is older than 2\.6"):
        setup_env.existing_torch()


@pytest.mark.parametrize(
    ("works", "system", "words"),
    [
        ("nvidia-smi", "linux", ["torch==2.13.0"]),
        ("--dry-run", "linux", ["torch==2.13.0+cpu"]),
        ("nothing", "linux", ["torch==2.13.0", "--index-url", "CPU"]),
        ("nothing", "darwin", ["torch==2.13.0"]),
    ],
    ids=["driver", "cpu build known to pip", "cpu index", "mac"],
)
def test_build_of_torch(setup_env, monkeypatch, works, system, words):
    monkeypatch.setattr(setup_env, "TORCH", "2.13.0")
    monkeypatch.setattr(setup_env, "CPU_INDEX", "CPU")
    monkeypatch.setattr(setup_env, "quiet", lambda command: works in command)
    monkeypatch.setattr(sys, "platform", system)
    assert setup_env.torch_words("python")[0] == words


def test_old_python_is_told(setup_env):
    with pytest.raises(SystemExit, match=r"Python 3\.8 is too old: 3\.11 or newer is needed"):
        setup_env.check_python((3, 8, 1))


def test_python_without_venv_is_told(setup_env, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        setup_env.check_python()


def test_failed_step_says_how_to_go_on(setup_env):
    with pytest.raises(SystemExit, match=r"failed: false\nsetup: .*'make setup' goes on"):
        setup_env.run(["false"])


def test_finished_environment_is_left_alone(setup_env, tmp_path, monkeypatch):
    stamp = tmp_path / setup_env.STAMP
    stamp.write_text(setup_env.fingerprint())
    os.utime(stamp, (1, 1))
    monkeypatch.setattr(setup_env, "check_python", lambda: pytest.fail("nothing to do"))
    setup_env.main(str(tmp_path))
    assert stamp.stat().st_mtime > 1  # make compares times


def test_stamp_is_written_last(setup_env, tmp_path, monkeypatch):
    def fail(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup_env, "existing_torch", lambda: None)
    monkeypatch.setattr(setup_env, "create", lambda venv, see_system: None)
    monkeypatch.setattr(setup_env, "install_torch", lambda python: "2.13.0+cpu")
    monkeypatch.setattr(setup_env, "install", fail)
    with pytest.raises(KeyboardInterrupt):
        setup_env.main(str(tmp_path))
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(setup_env, "install", lambda python, torch: None)
    setup_env.main(str(tmp_path))
    assert (tmp_path / setup_env.STAMP).read_text() == setup_env.fingerprint()


def test_syntax_runs_far_enough_on_an_old_python():
    compile(SCRIPT.read_text(), str(SCRIPT), "exec", dont_inherit=True)
    text = SCRIPT.read_text()
    assert " := " not in text
    assert 'f"' not in text
    assert "import annotations" not in text


@pytest.mark.parametrize("script", ["setup_env.py", "lock.py"])
def test_help_changes_nothing(script, tmp_path):
    command = [sys.executable, str(SCRIPT.with_name(script)), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "make" in done.stdout
    assert not list(tmp_path.iterdir())
