"""The command line: three sources in order, and one clear line for everything that is wrong."""

import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import yaml

from whisper_qat.cli import main, parse
from whisper_qat.errors import GateError, InputError


@dataclass(frozen=True, kw_only=True)
class Example:
    """Do something at 100 % once."""

    model_path: str
    """Folder of the model (50 % of it)."""
    num_epochs: int = 3
    learning_rate: float = 1e-5
    quantization_type: Literal["int8", "int4", "none"] = "int8"
    corpora: list[str] = field(default_factory=list)
    compare: tuple[str, ...] = ()
    max_samples: int | None = None
    split: str | None = None
    dry_run: bool = False
    output_dir: Path = field(default=Path("out"), metadata={"help": "where to"})

    def __post_init__(self) -> None:
        if self.num_epochs < 1:
            raise InputError(f"num_epochs: expected at least 1, got {self.num_epochs}")


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
        (["--learning-rate=1"], r"unknown flag '--learning-rate'; did you mean '--learning_rate'"),
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


def run_main(run, *argv: str) -> int | None:
    return main(Example, run, ["--model_path", "m", *argv], "prog")


def test_main_prints_the_resolved_configuration_and_runs(capsys):
    seen = []
    assert run_main(seen.append, "--num_epochs", "4", "--compare", "a=b") == 0
    assert seen == [Example(model_path="m", num_epochs=4, compare=("a=b",))]
    printed = yaml.safe_load(capsys.readouterr().err)
    assert printed["num_epochs"] == 4
    assert printed["compare"] == ["a=b"]
    assert list(printed) == list(Example.__dataclass_fields__)


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


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as caught:
        main(Example, lambda config: None, ["--help"], "prog")
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Do something at 100 % once." in text
    assert "Folder of the model (50 % of it)." in text
    assert "where to" in text
    for name in Example.__dataclass_fields__:
        assert f"--{name}" in text


@dataclass(frozen=True, kw_only=True)
class Positional:
    """Look at one folder."""

    folder: Path = field(metadata={"positional": True})
    limit: int = 3


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
