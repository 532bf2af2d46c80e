"""Words of a command line: hyphens, booleans, positional words anywhere, the nearest flag."""

import pytest

from tests.cli.example import Example, Files, Positional
from whisper_qat.cli.parsing import parse
from whisper_qat.cli.words import arrange
from whisper_qat.errors import InputError
from whisper_qat.runs.setting_groups import settings_of


def example(*argv: str) -> Example:
    return parse(Example, ["--model_path", "m", *argv])


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--learning-rate=1"], "learning_rate", 1.0),
        (["--max-samples", "3"], "max_samples", 3),
        (["--dry-run"], "dry_run", True),
        (["--dry_run", "true"], "dry_run", True),
        (["--dry_run=false"], "dry_run", False),
        (["--dry_run", "--no-dry-run"], "dry_run", False),
        (["--no_dry_run"], "dry_run", False),
        (["--dry_run", "yes"], "dry_run", True),
        (["--learning_rate", "-1"], "learning_rate", -1.0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_forms_of_a_flag(argv, name, value):
    assert getattr(example(*argv), name) == value


def test_a_boolean_may_be_given_as_no_flag():
    assert parse(Files, ["a.wav", "--no-fallback"]).fallback is False
    assert parse(Files, ["a.wav", "--fallback", "false"]).fallback is False


@pytest.mark.parametrize(
    "argv",
    [
        ["a.wav", "b.wav", "--threads", "2", "--timestamps"],
        ["--threads", "2", "a.wav", "--timestamps", "b.wav"],
        ["--timestamps", "a.wav", "b.wav", "--threads=2"],
        ["--audio", "a.wav", "b.wav", "--threads", "2", "--timestamps"],
        ["a.wav", "--timestamps", "true", "--threads", "2", "--audio", "b.wav"],
        ["--timestamps", "--threads", "2", "--", "a.wav", "b.wav"],
    ],
    ids=" ".join,
)
def test_positional_words_stand_anywhere_and_beside_their_flag(argv):
    assert parse(Files, argv) == Files(audio=["a.wav", "b.wav"], timestamps=True, threads=2)


@pytest.mark.parametrize(
    ("config_class", "argv", "match"),
    [
        (Example, ["--no-num_epochs"], "unknown flag '--no-num_epochs'; did you mean '--num_ep"),
        (Example, ["--no-dry-run=false"], "--no-dry-run: takes no value; give --dry_run false"),
        (Example, ["-v"], "^unknown flag '-v'$"),
        (Example, ["--quiet=yes"], "^--quiet: takes no value, got 'yes'$"),
        (Example, ["--config="], "^--config: expected the name of a YAML file$"),
        (Example, ["--config", "--quiet"], "^--config: expected the name of a YAML file$"),
        (Example, ["stray"], "^unexpected argument 'stray'; values belong to a flag$"),
        (Positional, ["a", "b"], "^unexpected argument 'b'; values belong to a flag$"),
        (Files, ["a.wav", "--thread", "1"], "unknown flag '--thread'; did you mean '--threads'"),
        (Files, ["--timestamps", "a.wav", "--audio"], "--audio: expected at least one argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_belong_nowhere(config_class, argv, match):
    with pytest.raises(InputError, match=match):
        parse(config_class, argv)


def test_general_flags_are_taken_apart():
    line = arrange(["--quiet", "-h", "--config", "a", "--config=b", "x"], settings_of(Files))
    assert line.general == {"quiet", "help"}
    assert line.configs == ["a", "b"]
    assert line.flags == ["--audio", "x"]
