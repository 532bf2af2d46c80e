"""Messages go to standard error as plain lines, as loud as asked for."""

import logging
import os

import pytest

from whisper_qat.runs.messages import AboveBars, set_loudness

logger = logging.getLogger("whisper_qat.tasks.any")


def speak() -> None:
    logger.debug("detail")
    logger.info("%s of %d", "one", 2)
    logger.warning("warning: careful")


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ({}, ["one of 2", "warning: careful"]),
        ({"quiet": True}, ["warning: careful"]),
        ({"verbose": True}, ["detail", "one of 2", "warning: careful"]),
    ],
    ids=["plain", "quiet", "verbose"],
)
def test_levels(capsys, flags, lines):
    set_loudness(**flags)
    speak()
    captured = capsys.readouterr()
    assert captured.err.splitlines() == lines
    assert captured.out == ""


def test_other_processes_of_a_run_show_warnings_only(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    set_loudness(verbose=True)
    speak()
    assert capsys.readouterr().err == "warning: careful\n"


def test_quiet_switches_bars_off_in_child_processes_too():
    set_loudness()
    assert os.environ["TQDM_DISABLE"] == ""
    set_loudness(quiet=True)
    assert os.environ["TQDM_DISABLE"] == "1"


def test_there_is_one_handler_however_often_it_is_set():
    set_loudness()
    set_loudness()
    handlers = logging.getLogger("whisper_qat").handlers
    assert sum(isinstance(handler, AboveBars) for handler in handlers) == 1
