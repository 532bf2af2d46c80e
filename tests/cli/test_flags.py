"""The help: groups, choices, defaults, what is required."""

import re

import pytest

from tests.cli.example import Example, Files, Grouped, Positional
from whisper_qat.cli.flags import build_parser


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def help_of(config_class: type) -> str:
    return build_parser(config_class, prog="prog").format_help()


def line(text: str, flag: str) -> str:
    """The help of one flag on one line."""
    found = re.search(rf"^  (?:-h, )?{flag}\b.*(?:\n {{8,}}.*)*", text, re.MULTILINE)
    assert found, f"{flag} is not in the help"
    return " ".join(found[0].split())


def test_every_setting_is_a_flag():
    text = help_of(Example)
    for name in Example.__dataclass_fields__:
        assert line(text, f"--{name}")


@pytest.mark.parametrize(
    ("flag", "shown"),
    [
        ("--model_path", "--model_path TEXT Folder of the model (50 % of it). (required)"),
        ("--num_epochs", "--num_epochs N (default: 3)"),
        ("--learning_rate", "--learning_rate X (default: 1e-05)"),
        ("--quantization_type", "--quantization_type {int8,int4,none} (default: int8)"),
        ("--corpora", "--corpora TEXT [TEXT ...]"),
        ("--max_samples", "--max_samples N"),
        ("--dry_run", "--dry_run [{true,false}] (default: false)"),
        ("--output_dir", "--output_dir PATH where to (default: out)"),
    ],
)
def test_help_shows_choices_default_and_what_is_required(flag, shown):
    assert line(help_of(Example), flag) == shown


def test_help_says_how_booleans_are_given():
    assert "--no-FLAG is false" in help_of(Example)


def test_groups_have_titles_in_their_order():
    text = help_of(Grouped)
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == [
        "data",
        "schedule",
        "settings",
        "general",
    ]
    assert line(text, "--train_data") == "--train_data TEXT where the clips are (required)"
    assert line(text, "--kind") == "--kind {a,b} (default: a)"
    assert line(text, "--steps") == "--steps N [N ...] how many (default: 1 2)"


def test_help_groups_of_a_flat_configuration():
    class Titled(Example):
        HELP_GROUPS = {"model": ("model_path",), "run": ("dry_run", "num_epochs")}  # noqa: RUF012

    text = help_of(Titled)
    assert re.findall(r"^(\w+):$", text, re.MULTILINE) == ["model", "run", "settings", "general"]


def test_help_groups_name_settings_that_exist():
    class Titled(Example):
        HELP_GROUPS = {"model": ("model",)}  # noqa: RUF012

    with pytest.raises(AssertionError, match=r"HELP_GROUPS names \['model'\]"):
        help_of(Titled)


def test_words_without_a_flag_stand_in_the_usage():
    assert help_of(Positional).startswith("usage: prog FOLDER [flags]\n")
    assert help_of(Files).startswith("usage: prog AUDIO [AUDIO ...] [flags]\n")
    assert "the flag itself may be left out" in line(help_of(Files), "--audio")


def test_general_flags_are_listed():
    for flag in ("--config FILE", "--help", "--version", "--quiet", "--verbose"):
        assert line(help_of(Example), flag)
