"""The built wheel works without the checkout: in an empty folder, with its own package data."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.infer.onnx_folders import ptq_folder
from whisper_qat.cli.program import COMMANDS

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "src")
LIST = """
import whisper_qat.cli.program
from whisper_qat.cli.parsing import parse
from whisper_qat.data.corpora.named import DEFAULT_CONFIG, corpora_file, read_entries
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.shipped import FOLDER, PLANS, shipped_names
from whisper_qat.tasks.train.config import TrainConfig
print(whisper_qat.cli.program.__file__)
print(*[name for name in shipped_names(FOLDER) if parse(TrainConfig, ["--config", name])])
print(*[name for name in shipped_names(PLANS) if read_rules_file(name)])
print(len(read_entries(corpora_file(DEFAULT_CONFIG))))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools leaves build folders beside what it builds."""
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("*.egg-info", "__pycache__")
            shutil.copytree(ROOT / part, source / part, ignore=ignored)
        else:
            shutil.copy2(ROOT / part, source / part)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def python(installed, tmp_path):
    """Runs Python in an empty folder where the installed wheel goes before all else."""

    def run(*words: str, status: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(installed)},
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def test_package_data_and_entry_point_are_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "whisper-qat = whisper_qat.cli.program:main" in archive.read(entry).decode()
    data = {Path(name).name for name in names if name.startswith("whisper_qat/configs/")}
    files = {path.name for path in (ROOT / "configs").rglob("*.yaml")}
    assert data == files and "corpora.yaml" in files
    assert any(name.endswith(".j2") for name in names)


def test_help_and_version(python):
    listed = python("-m", "whisper_qat", "--help").stdout
    assert all(f"  {name} " in listed for name in COMMANDS)
    assert python("-m", "whisper_qat", "--version").stdout.startswith("whisper-qat ")
    assert "--learning_rate X" in python("-m", "whisper_qat", "train", "--help").stdout


def test_configurations_plans_and_corpora_are_there(python, installed):
    place, configs, plans, corpora = python("-c", LIST).stdout.splitlines()
    assert Path(place).is_relative_to(installed)
    assert {"qat_int8", "qat_int4", "quickstart"} <= set(configs.split())
    assert {"int8_row", "int4_row"} <= set(plans.split())
    assert int(corpora) > 5


def test_commands_run_in_an_empty_folder(python, tiny_whisper, tmp_path, tmp_path_factory):
    model = ptq_folder(tiny_whisper, tmp_path_factory.mktemp("model") / "int4", "int4")
    audio = tmp_path_factory.mktemp("audio") / "a.wav"
    soundfile.write(audio, np.random.default_rng(0).normal(scale=0.1, size=16_000), 16_000)
    words = ["transcribe", "--model_path", str(model), "--max-new-tokens", "3", str(audio)]
    assert python("-m", "whisper_qat", *words, "--quiet").stdout.endswith("\n")
    shown = python("-m", "whisper_qat", "inspect", str(model))
    assert "planned layers" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_corpus_is_answered_from_the_shipped_list(python):
    words = ["evaluate", "--model_path", "m", "--output_dir", "out", "--config", "nothing"]
    done = python("-m", "whisper_qat", *words, status=2)
    assert done.stderr.startswith("error: --config nothing: no such file, and no configuration")
