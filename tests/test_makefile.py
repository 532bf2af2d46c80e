"""What make would run: each step once, in order, again when its settings change, never twice."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Stands in for Python: notes the call and writes the manifest of the folder it was to make.
STUB = """#!/usr/bin/env bash
echo "$*" >> calls
hang=$(cat hang 2>/dev/null || echo nothing)
case "$*" in *"$hang"*) touch hanging; sleep 30; exit 1 ;; esac
script=$1
while [ $# -gt 0 ]; do
  case $1 in --output_dir | --output_path) folder=$2 ;; esac
  shift
done
case $script in *train_qat*) folder=$folder/final ;; esac
mkdir -p "$folder"
wc -l < calls > "$folder/manifest.json"
"""
CHAIN = [
    "import_ctranslate2 data/whisper-base",
    "prepare_data data/telephone-fr",
    "train_qat outputs/models/quickstart-int8",
    "convert_qat_to_quantized outputs/models/quickstart-int8-quantized",
    "convert_qat_to_quantized outputs/models/quickstart-base-float",
    "quantize_ptq outputs/models/quickstart-base-ptq-int8",
    "train_qat outputs/models/quickstart-control",
    "convert_qat_to_quantized outputs/models/quickstart-control-float",
    "quantize_ptq outputs/models/quickstart-control-ptq-int8",
    "quantize_ptq outputs/models/quickstart-control-ptq-int4",
    "train_qat outputs/models/quickstart-int4",
    "convert_qat_to_quantized outputs/models/quickstart-int4-quantized",
    "evaluate_qat outputs/evaluations/quickstart",
]


class Checkout:
    """The Makefile with its configs and shell scripts, and a stub for Python."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for file in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy2(ROOT / file, root)
        for folder in ("configs", "scripts"):
            shutil.copytree(ROOT / folder, root / folder)
        (root / "ready").touch()
        (root / "stub").write_text(STUB)
        (root / "stub").chmod(0o755)

    def command(self, *words: str) -> list[str]:
        return ["make", "RUN=./stub", "SETUP=ready", *words]

    def make(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), cwd=self.root, capture_output=True, text=True)

    def edit(self, config: str, old: str, new: str) -> None:
        path = self.root / "configs" / config
        text = path.read_text()
        assert old in text
        time.sleep(0.01)  # a later time for make to see
        path.write_text(text.replace(old, new))

    @property
    def lines(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def new_calls(self, *words: str) -> list[str]:
        """Script and output folder of each call that ``make words`` causes."""
        before = len(self.lines)
        done = self.make(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return [brief(line) for line in self.lines[before:]]


def brief(line: str) -> str:
    words = line.split()
    output = next(words[i + 1] for i, word in enumerate(words) if word.startswith("--output_"))
    return f"{Path(words[0]).stem} {output}"


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_quickstart_runs_its_chain_once(checkout):
    assert checkout.new_calls("quickstart") == CHAIN
    assert checkout.new_calls("quickstart") == []
    assert (
        "report: outputs/evaluations/quickstart/report.html" in checkout.make("quickstart").stdout
    )


def test_quickstart_compares_what_is_published_trained_and_quantized(checkout):
    checkout.make("quickstart")
    text = "\n".join(checkout.lines)
    assert "quickstart-base-float --format onnx --model_path data/whisper-base" in text
    assert text.count("--audio_context full") == 2  # both rows without training
    assert "--quantization_type int4 --scales learned --scale_start gptq" in text
    evaluation = checkout.lines[-1]
    assert "--baseline_model outputs/models/quickstart-base-float " in evaluation
    for row in ("base-ptq-int8", "control-ptq-int8", "control-ptq-int4"):
        assert f" {row}=outputs/models/quickstart-{row}" in evaluation
    assert " control=outputs/models/quickstart-control-float" in evaluation
    assert " qat-int4=outputs/models/quickstart-int4-quantized" in evaluation


def test_changed_config_makes_its_chain_again(checkout):
    checkout.make("quickstart")
    checkout.edit("quickstart.yaml", "learning_rate: 3.0e-5", "learning_rate: 1.0e-5")
    again = checkout.new_calls("quickstart")
    assert [call for call in CHAIN if call not in again] == [
        "import_ctranslate2 data/whisper-base",
        "prepare_data data/telephone-fr",
        "convert_qat_to_quantized outputs/models/quickstart-base-float",
        "quantize_ptq outputs/models/quickstart-base-ptq-int8",
    ]
    assert len(list((checkout.root / "outputs" / "models").glob("quickstart-int8.before-*"))) == 1


def test_comment_in_a_config_makes_nothing_again(checkout):
    checkout.make("quickstart")
    checkout.edit("quickstart.yaml", "base_model:", "# said anew\nbase_model:")
    assert checkout.new_calls("quickstart") == []


def test_interrupted_quickstart_goes_on(checkout):
    (checkout.root / "hang").write_text("--quantization_type none --output_dir")
    process = subprocess.Popen(
        checkout.command("quickstart"),
        cwd=checkout.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell switches Ctrl-C off for what it runs in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (checkout.root / "hanging").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C goes to the whole group
    assert process.wait(timeout=20) in (2, 130, -signal.SIGINT)
    (checkout.root / "hang").unlink()
    assert checkout.new_calls("quickstart") == CHAIN[6:]


def test_training_takes_settings_and_runs_again_when_they_change(checkout):
    first = ["train-qat-int8", "NUM_EPOCHS=3", "BASE_MODEL=data/whisper-base", "EXTRA=--seed 1"]
    assert checkout.new_calls(*first) == ["train_qat outputs/models/whisper-qat-int8"]
    assert "--base_model data/whisper-base --num_epochs 3 --seed 1" in checkout.lines[-1]
    assert checkout.new_calls(*first) == []
    assert len(checkout.new_calls("train-qat-int8", "NUM_EPOCHS=4")) == 1


def test_later_steps_do_not_repeat_a_training_for_want_of_its_settings(checkout):
    checkout.make("train-qat-int8", "NUM_EPOCHS=3")
    assert checkout.new_calls("convert-qat-int8", "evaluate-qat") == [
        "convert_qat_to_quantized outputs/models/whisper-qat-int8-quantized",
        "evaluate_qat outputs/evaluations/whisper-qat-int8-quantized",
    ]


def test_output_dir_belongs_to_the_training_that_was_asked_for(checkout):
    made = checkout.new_calls("train-qat-int4", "OUTPUT_DIR=outputs/models/mine")
    assert made == ["train_qat outputs/models/mine"]
    made = checkout.new_calls("convert-qat-int4", "OUTPUT_DIR=outputs/models/mine")
    assert made == ["convert_qat_to_quantized outputs/models/mine-quantized"]


def test_evaluation_defaults(checkout):
    tests = checkout.root / "data" / "test_sets"
    tests.mkdir(parents=True)
    (tests / "eval_data.json").write_text("{}")
    assert checkout.make("evaluate-qat").returncode == 0
    assert "--corpora community-v2 mtedx zaion5 zaion6" in checkout.lines[-1]
    assert "--test_data data/test_sets/eval_data.json" in checkout.lines[-1]


def test_evaluation_of_a_folder_of_ones_own(checkout):
    made = checkout.new_calls(
        "evaluate-qat", "MODEL_PATH=elsewhere/model", "CORPORA=", "TEST_DATA=configs/corpora.yaml"
    )
    assert made == ["evaluate_qat outputs/evaluations/model"]
    assert "--corpora" not in checkout.lines[-1]


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ([], "prepare_data data/telephone-fr"),
        (["SOURCE=telephone-en"], "prepare_data data/telephone-en"),
        (["SOURCE=fleurs-fr"], "prepare_data data/fleurs-fr"),
        (["SOURCE=a.jsonl", "DATA_DIR=data/mine"], "prepare_data data/mine"),
    ],
    ids=["default", "English", "source", "manifest"],
)
def test_data(checkout, words, made):
    assert checkout.new_calls("data", *words) == [made]
    assert checkout.new_calls("data", *words) == []


def test_the_prompts_are_prepared_by_the_source_of_their_name(checkout):
    checkout.make("data")
    checkout.make("data", "SOURCE=telephone-en")
    for source, line in zip(("telephone-fr", "telephone-en"), checkout.lines, strict=True):
        assert f"--source {source} --output_dir data/{source}" in line


def test_embedded_models(checkout):
    assert checkout.new_calls("base-model") == ["import_ctranslate2 data/whisper-base"]
    assert checkout.new_calls("english-model") == ["import_ctranslate2 data/whisper-tiny-en"]
    assert "--source embedded-tiny-en " in checkout.lines[-1]
    assert checkout.new_calls("base-model", "english-model") == []


def test_archive_that_is_missing_stops(checkout):
    done = checkout.make("data", "SOURCE=common-voice-fr", "ARCHIVE=none.tar.gz")
    assert done.returncode == 2
    assert "none.tar.gz" in done.stderr


def test_failed_step_stops_with_its_status(checkout):
    (checkout.root / "stub").write_text("#!/bin/sh\nexit 3\n")
    done = checkout.make("train-qat-int8")
    assert done.returncode == 2
    assert "Error 3" in done.stderr
    assert "run the same command again to go on" in done.stdout


TARGETS = """setup data base-model english-model train-qat-int8 train-qat-int8-extended
    train-qat-int4 help convert-qat-int8 convert-qat-int4 evaluate-qat quickstart test checks
    benchmark lock clean"""


@pytest.mark.parametrize("target", TARGETS.split())
def test_target_can_be_made(checkout, target):
    done = checkout.make("-n", target)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
