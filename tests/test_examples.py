"""The examples run: on a tiny Whisper with random weights and generated audio."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.infer.onnx_folders import onnx_folder
from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.runs.folders import read_json, read_manifest, write_json

ROOT = Path(__file__).parents[1]
EXAMPLES = {path.name: path for path in (ROOT / "examples").glob("*.py")}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(name: str, *words: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(EXAMPLES[name]), *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_every_example_is_tested():
    assert set(EXAMPLES) == {"transcribe_folder.py", "train_on_your_manifest.py"}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_says_how_it_is_called(name):
    done = start(name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"usage: {name} ")


def test_a_folder_is_transcribed(tiny_whisper_folder, tmp_path):
    base = tiny_whisper_folder(max_target_positions=32)
    model = onnx_folder(base, tmp_path / "model", audio_context="dynamic", margin_s=0.5)
    allow_timestamps(model)
    recordings = save_tiny_speech(tmp_path / "in" / "deep", train=1, validation=1, test=0).parent
    (recordings / "broken.wav").write_bytes(b"no audio")
    done = start("transcribe_folder.py", model, recordings, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in files(tmp_path / "out"))
    assert written == ["deep/clip-0.srt", "deep/clip-0.txt", "deep/clip-1.srt", "deep/clip-1.txt"]
    assert done.stdout.count("x real time") == 2
    assert "left out: " in done.stderr and "broken.wav" in done.stderr


def allow_timestamps(model: Path) -> None:
    """The tiny Whisper never writes timestamps; the example asks for them."""
    path = model / "generation_config.json"
    settings = read_json(path)
    suppressed = [t for t in settings["suppress_tokens"] if t < settings["no_timestamps_token_id"]]
    write_json(path, settings | {"suppress_tokens": suppressed})


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_manifest_becomes_a_model_and_a_report(tiny_whisper_folder, tmp_path):
    base = tiny_whisper_folder(max_target_positions=32)  # random weights write until the limit
    speech = save_tiny_speech(tmp_path / "speech", train=8, validation=0, test=0)
    manifest = shutil.copy(speech / "train.jsonl", speech / "clips.jsonl")
    changes = {"num_epochs": 1, "per_device_batch_size": 2, "num_workers": 0, "margin_s": 0.5}
    example = load("train_on_your_manifest.py")
    report = example.train_on_manifest(Path(manifest), base, tmp_path / "out", **changes)
    assert (report / "report.html").is_file()
    names = [row["name"] for row in read_json(report / "results.json")["rows"]]
    assert len(names) == 3 and "control" in names
    trained = read_manifest(tmp_path / "out" / "int8" / "final")
    assert trained["config"]["quantization_type"] == "int8"
    assert json.loads((tmp_path / "out" / "int8-onnx" / "parity.json").read_text())["passed"]
