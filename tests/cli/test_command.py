"""One command: exit statuses, what is printed where, and what --help shows."""

import errno
import logging
import os
from importlib.metadata import version

import pytest
import yaml

from tests.cli.example import Example, Grouped
from whisper_qat.cli import command
from whisper_qat.cli.command import main
from whisper_qat.errors import GateError, InputError


def run_main(run, *argv: str) -> int | None:
    return main(Example, run, ["--model_path", "m", *argv], "prog")


def test_the_configuration_is_shown_as_what_differs_from_the_defaults(capsys):
    seen = []
    assert run_main(seen.append, "--num_epochs", "4", "--compare", "a=b") == 0
    assert seen == [Example(model_path="m", num_epochs=4, compare=("a=b",))]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("# configuration (what differs from the defaults)\n")
    assert yaml.safe_load(captured.err) == {"model_path": "m", "num_epochs": 4, "compare": ["a=b"]}


def test_verbose_shows_the_whole_configuration(capsys):
    run_main(lambda config: None, "--verbose")
    printed = yaml.safe_load(capsys.readouterr().err)
    assert list(printed) == list(Example.__dataclass_fields__)
    assert printed["output_dir"] == "out"


def test_groups_are_shown_as_groups(capsys):
    argv = ["--train_data", "d", "--learning_rate", "1", "--seed", "3"]
    main(Grouped, lambda config: None, argv, "prog")
    shown = yaml.safe_load(capsys.readouterr().err)
    assert shown == {"data": {"train_data": "d"}, "schedule": {"learning_rate": 1.0}, "seed": 3}


def test_a_configuration_that_fails_its_check_is_not_shown(capsys):
    with pytest.raises(SystemExit):
        run_main(lambda config: None, "--num_epochs", "0")
    assert capsys.readouterr().err == "error: num_epochs: expected at least 1, got 0\n"


def test_quiet_leaves_warnings_and_errors(capsys):
    def run(config: Example) -> None:
        logging.getLogger("whisper_qat.tasks.any").info("done")
        logging.getLogger("whisper_qat.tasks.any").warning("careful")
        raise InputError("wrong")

    with pytest.raises(SystemExit):
        run_main(run, "--quiet")
    assert capsys.readouterr().err == "careful\nerror: wrong\n"
    assert os.environ["TQDM_DISABLE"] == "1"


def test_quiet_and_verbose_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as caught:
        run_main(lambda config: None, "--quiet", "--verbose")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: --quiet, --verbose: give one of them\n"


def test_version_is_that_of_the_installed_package(capsys):
    with pytest.raises(SystemExit) as caught:
        main(Example, lambda config: None, ["--version"], "prog")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"whisper-qat {version('whisper-qat')}\n"


def test_version_without_an_installed_package(monkeypatch):
    monkeypatch.setattr(command, "DISTRIBUTION", "no-such-package")
    assert command.version_line() == "no-such-package (not installed)"


def test_only_the_first_process_prints(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run_main(lambda config: None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.jsonl: line 3: not JSON"), 2, "error: a.jsonl: line 3: not JSON"),
        (GateError("parity: 3 layers differ"), 1, "error: parity: 3 layers differ"),
        (KeyboardInterrupt("saved; run it again to resume"), 130, "saved; run it again to resume"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/model"),
            2,
            "error: out/model: disk full; free some space and rerun",
        ),
    ],
    ids=["input", "gate", "interrupt", "bare interrupt", "disk full"],
)
def test_errors_become_one_line_and_a_status(capsys, error, status, line):
    def run(config: Example) -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run_main(run)
    assert caught.value.code == status
    assert capsys.readouterr().err.splitlines()[-1] == line


@pytest.mark.parametrize(
    "error", [ValueError("bug"), OSError(errno.EIO, "bug")], ids=["ours", "io"]
)
def test_bugs_keep_their_traceback(error):
    def run(config: Example) -> None:
        raise error

    with pytest.raises(type(error), match="bug"):
        run_main(run)


def test_status_of_run_is_the_status_of_the_process():
    with pytest.raises(SystemExit) as caught:
        run_main(lambda config: 3)
    assert caught.value.code == 3


def test_wrong_flag_exits_2(capsys):
    with pytest.raises(SystemExit) as caught:
        run_main(lambda config: None, "--num_epoch", "3")
    assert caught.value.code == 2
    message = "error: unknown flag '--num_epoch'; did you mean '--num_epochs'?\n"
    assert capsys.readouterr().err == message


def test_help_is_standard_output_and_status_0(capsys):
    with pytest.raises(SystemExit) as caught:
        main(Example, lambda config: None, ["--help"], "prog")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: prog [flags]\n\nDo something at 100 % once.")
