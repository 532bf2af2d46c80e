"""The program ``whisper-qat``: one subcommand per task, loaded only when it is asked for."""

import sys
from dataclasses import dataclass
from pkgutil import resolve_name

from whisper_qat.cli.command import main as run_command
from whisper_qat.cli.command import statuses, version_line
from whisper_qat.errors import InputError, nearest

NAME = "whisper-qat"
TASKS = "whisper_qat.tasks"


@dataclass(frozen=True)
class Command:
    """A subcommand: where its configuration class and ``run`` are, as names below `TASKS`."""

    config: str
    run: str
    summary: str


COMMANDS = {
    "train": Command(
        "train.config:TrainConfig", "train.train_qat:run",
        "quantization-aware training, or the float control",
    ),
    "convert": Command(
        "convert.convert:ConvertConfig", "convert.convert:run",
        "a trained checkpoint to ONNX, transformers.js, CTranslate2 or whisper.cpp",
    ),
    "evaluate": Command(
        "evaluate.evaluate:EvaluateConfig", "evaluate.evaluate:run",
        "WER, size and speed of models, and a report",
    ),
    "pool": Command(
        "pool_evaluations:PoolEvaluationsConfig", "pool_evaluations:run",
        "evaluations of several training seeds or days as one report",
    ),
    "transcribe": Command(
        "transcribe:TranscribeConfig", "transcribe:run",
        "audio files and folders to text, SRT, VTT or JSON",
    ),
    "prepare-data": Command(
        "prepare_data:PrepareDataConfig", "prepare_data:run",
        "any source of speech to a data folder",
    ),
    "quantize": Command(
        "quantize_ptq:QuantizePtqConfig", "quantize_ptq:run",
        "post-training quantization: the baselines of QAT",
    ),
    "benchmark": Command(
        "benchmark.benchmark:BenchmarkConfig", "benchmark.benchmark:run",
        "speed, memory, size and WER beside other runtimes",
    ),
    "benchmark-growth": Command(
        "benchmark.growth:GrowthConfig", "benchmark.growth:run",
        "time and memory as audio, threads and models grow",
    ),
    "benchmark-train": Command(
        "benchmark.training:BenchmarkTrainConfig", "benchmark.training:run",
        "step time and memory of training",
    ),
    "recommend": Command(
        "recommend:RecommendConfig", "recommend:run",
        "what this CPU has, and which plan is fastest at which size on it",
    ),
    "inspect": Command(
        "inspect_model:InspectModelConfig", "inspect_model:run",
        "bytes and kernels of an ONNX folder",
    ),
    "sensitivity": Command(
        "analyze_sensitivity:SensitivityConfig", "analyze_sensitivity:run",
        "what quantizing each part of a model costs, and a mixed plan",
    ),
    "import": Command(
        "import_ctranslate2:ImportConfig", "import_ctranslate2:run",
        "a CTranslate2 checkpoint, or an embedded Whisper, to transformers",
    ),
    "profile": Command(
        "profile_graphs:ProfileGraphsConfig", "profile_graphs:run",
        "operator times of ONNX graphs, side by side",
    ),
}  # fmt: skip


def main(argv: list[str] | None = None) -> int | None:
    """Run the subcommand named by the first argument, with the remaining arguments."""
    words = sys.argv[1:] if argv is None else argv
    with statuses():
        if words and words[0] in ("--help", "-h"):
            print(help_text())
            return 0
        if words and words[0] == "--version":
            print(version_line())
            return 0
        command = find(words)
        config_class = resolve_name(f"{TASKS}.{command.config}")
        run = resolve_name(f"{TASKS}.{command.run}")
    return run_command(config_class, run, words[1:], prog=f"{NAME} {words[0]}")


def find(words: list[str]) -> Command:
    """The command that `words` begin with; InputError when there is none."""
    if not words:
        raise InputError(f"expected a command; '{NAME} --help' lists them")
    if words[0] not in COMMANDS:
        raise InputError(f"unknown command {words[0]!r}{nearest(words[0], COMMANDS)}")
    return COMMANDS[words[0]]


def help_text() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([
        f"usage: {NAME} COMMAND [flags]",
        "",
        "Quantization-aware training for Whisper: train, convert, evaluate, transcribe.",
        "",
        "commands:",
        *lines,
        "",
        f"'{NAME} COMMAND --help' lists a command's flags; '{NAME} --version' shows the version.",
    ])  # fmt: skip
