"""The command line: three sources in order, and one clear line for everything that is wrong."""

from pathlib import Path

import pytest

from tests.cli.example import Example, Positional
from whisper_qat.cli.parsing import parse
from whisper_qat.errors import InputError


def example(*argv: str) -> Example:
    return parse(Example, ["--model_path", "m", *argv])


@pytest.fixture
def config_file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "a.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_defaults():
    assert example() == Example(model_path="m")


def test_command_line_beats_file_beats_default(config_file):
    path = config_file("num_epochs: 5\nlearning_rate: 5e-6\nmodel_path: other\n")
    want = Example(model_path="m", num_epochs=7, learning_rate=5e-6)
    assert example("--num_epochs", "7", "--config", path) == want
    assert example(f"--config={path}", "--num_epochs=7") == want


def test_later_file_beats_earlier(tmp_path):
    for name, epochs in (("a", 5), ("b", 6)):
        (tmp_path / name).write_text(f"num_epochs: {epochs}")
    both = ["--config", str(tmp_path / "a"), "--config", str(tmp_path / "b")]
    assert example(*both).num_epochs == 6


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--corpora", "mtedx", "5"], "corpora", ["mtedx", "5"]),
        (["--compare", "a=b", "c=d e"], "compare", ("a=b", "c=d e")),
        (["--dry_run"], "dry_run", True),
        (["--dry_run", "false"], "dry_run", False),
        (["--max_samples", "10"], "max_samples", 10),
        (["--max_samples", "null"], "max_samples", None),
        (["--split", "5e-6"], "split", "5e-6"),
        (["--quantization_type", "none"], "quantization_type", "none"),
        (["--output_dir", "x/y"], "output_dir", Path("x/y")),
        (["--learning_rate", "1"], "learning_rate", 1.0),
    ],
    ids=lambda value: str(value),
)
def test_flag_forms(argv, name, value):
    assert getattr(example(*argv), name) == value


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("corpora: [a, b]", "corpora", ["a", "b"]),
        ("compare: [a=b]", "compare", ("a=b",)),
        ("dry_run: true", "dry_run", True),
        ("learning_rate: 5e-6", "learning_rate", 5e-6),
        ("max_samples: null", "max_samples", None),
        ("# nothing", "num_epochs", 3),
    ],
    ids=lambda value: str(value),
)
def test_file_forms(config_file, text, name, value):
    assert getattr(example("--config", config_file(text)), name) == value


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (
            ["--learnig_rate", "1"],
            r"^unknown flag '--learnig_rate'; did you mean '--learning_rate'\?$",
        ),
        (["--confg", "x"], "unknown flag '--confg'; did you mean '--config'"),
        (["--zebra"], r"^unknown flag '--zebra'$"),
        (["--model", "x"], "unknown flag '--model'; did you mean '--model_path'"),
        (["stray"], "unexpected argument 'stray'; values belong to a flag"),
        (["--num_epochs", "abc"], r"^--num_epochs: expected a whole number, got 'abc'$"),
        (["--num_epochs", "5.5"], "--num_epochs: expected a whole number, got '5.5'"),
        (["--num_epochs"], "--num_epochs: expected one argument"),
        (["--num_epochs", "0"], "num_epochs: expected at least 1, got 0"),
        (["--learning_rate", "fast"], "--learning_rate: expected a number, got 'fast'"),
        (["--max_samples", "all"], "--max_samples: expected a whole number or null, got 'all'"),
        (["--dry_run", "maybe"], "--dry_run: expected true or false, got 'maybe'"),
        (["--corpora"], "--corpora: expected at least one argument"),
        (
            ["--quantization_type", "int6"],
            "--quantization_type: expected one of int8, int4, none, got 'int6'; did you mean 'int",
        ),
        (["--config"], "--config: expected the name of a YAML file"),
        (["--config", "none.yaml"], r"^--config none\.yaml: no such file$"),
        (["--config", "."], r"--config \.: cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_command_line(argv, match):
    with pytest.raises(InputError, match=match) as caught:
        example(*argv)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "learnig_rate: 1",
            r"a\.yaml: unknown key 'learnig_rate'; did you mean 'learning_rate'\?$",
        ),
        ("num_epochs: abc", r"a\.yaml: num_epochs: expected a whole number, got 'abc'$"),
        ("num_epochs: null", r"a\.yaml: num_epochs: expected a whole number, got None"),
        ("num_epochs: [1]", r"a\.yaml: num_epochs: expected a whole number, got \[1\]"),
        ("quantization_type: int6", r"one of int8, int4, none, got 'int6'"),
        ("quantization_type: off", r"one of int8, int4, none, got False"),
        ("corpora: mtedx", r"a\.yaml: corpora: expected a list of text, got 'mtedx'"),
        ("corpora: [1]", r"a\.yaml: corpora: expected a list of text, got \[1\]"),
        ("max_samples: x", r"expected a whole number or null, got 'x'"),
        ("a: 1\nb: [1, 2\nc: 3", r"a\.yaml: line 3: not YAML"),
        ("a: b: c", r"a\.yaml: line 1: not YAML"),
        ("- a\n- b", r"a\.yaml: expected lines 'name: value', got list"),
        ("just text", r"a\.yaml: expected lines 'name: value', got str"),
        ("a: \x01", r"a\.yaml: not YAML"),
        ("5: 1", r"a\.yaml: unknown key 5"),
    ],
    ids=lambda value: value.split("\n")[0] if len(value) < 30 else "",
)
def test_wrong_file(config_file, text, match):
    with pytest.raises(InputError, match=match) as caught:
        example("--config", config_file(text))
    assert "\n" not in str(caught.value)


def test_required_flag_is_named():
    with pytest.raises(InputError, match="--model_path is required"):
        parse(Example, [])


def test_required_flag_may_stand_in_the_file(config_file):
    assert parse(Example, ["--config", config_file("model_path: m")]) == Example(model_path="m")


@pytest.mark.parametrize("argv", [["a", "--limit", "5"], ["--limit", "5", "a"]])
def test_a_positional_is_a_word_anywhere(argv):
    assert parse(Positional, argv) == Positional(folder=Path("a"), limit=5)


def test_a_positional_may_stand_in_the_file_and_the_word_wins(config_file):
    path = config_file("folder: b\n")
    assert parse(Positional, ["--config", path]).folder == Path("b")
    assert parse(Positional, ["--config", path, "a"]).folder == Path("a")


def test_a_missing_positional_is_named():
    with pytest.raises(InputError, match="FOLDER is required"):
        parse(Positional, ["--limit", "5"])
    with pytest.raises(InputError, match="unexpected argument 'b'"):
        parse(Positional, ["a", "b"])
