"""The program: its commands are those of the scripts, loaded one at a time."""

import ast
from pathlib import Path
from pkgutil import resolve_name

import pytest

from whisper_qat.cli.program import COMMANDS, TASKS, main
from whisper_qat.runs.setting_groups import settings_of

SCRIPTS = Path(__file__).parents[2] / "scripts"
SCRIPT_OF = {
    "train": "train_qat",
    "convert": "convert_qat_to_quantized",
    "evaluate": "evaluate_qat",
    "pool": "pool_evaluations",
    "transcribe": "transcribe",
    "prepare-data": "prepare_data",
    "quantize": "quantize_ptq",
    "benchmark": "benchmark",
    "benchmark-growth": "benchmark_growth",
    "benchmark-train": "benchmark_train",
    "recommend": "recommend",
    "inspect": "inspect_model",
    "sensitivity": "analyze_sensitivity",
    "import": "import_ctranslate2",
    "profile": "profile_graphs",
}


def imported(script: Path) -> set[str]:
    """The names that a script imports, as MODULE:NAME."""
    nodes = [n for n in ast.walk(ast.parse(script.read_text())) if isinstance(n, ast.ImportFrom)]
    return {f"{node.module}:{alias.name}" for node in nodes for alias in node.names}


def test_every_command_has_its_script():
    assert COMMANDS.keys() == SCRIPT_OF.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_calls_what_its_script_calls(name):
    command = COMMANDS[name]
    wanted = {f"{TASKS}.{command.config}", f"{TASKS}.{command.run}"}
    assert wanted <= imported(SCRIPTS / f"{SCRIPT_OF[name]}.py")
    for target in wanted:
        assert callable(resolve_name(target))


def test_help_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("whisper-qat ")


def test_a_command_has_its_own_help_and_name(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["import", "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: whisper-qat import [flags]\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_its_required_flags(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    settings = settings_of(resolve_name(f"{TASKS}.{COMMANDS[name].config}"))
    assert shown.count("(required") == sum(setting.required for setting in settings)
    assert [s.name for s in settings if f"  --{s.name} " not in shown] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "error: expected a command; 'whisper-qat --help' lists them\n"),
        (["trian"], "error: unknown command 'trian'; did you mean 'train'?\n"),
        (["import", "--outputdir", "x"],
         "error: unknown flag '--outputdir'; did you mean '--output_dir'?\n"),
    ],
    ids=["none", "unknown", "flag"],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line_and_status_2(capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err == message
