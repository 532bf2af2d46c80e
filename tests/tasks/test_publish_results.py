"""A result file from a finished folder: written checked, never over another one by accident."""

import pytest

from tests.report.synthetic import all_rows, corpus, write_evaluation
from whisper_qat.cli.command import main
from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.report.published.reading import read_table
from whisper_qat.runs.folders import write_manifest
from whisper_qat.tasks.publish_results import PublishResultsConfig, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "study"
    write_evaluation(path, all_rows(), [corpus("prompts", 10)])
    summarize(path)
    write_manifest(path, kind="evaluation", inputs={}, config={})
    return path


def config(folder, tmp_path, **changes):
    words = {"title": "T", "question": "Q?", "reading": "R."}
    return PublishResultsConfig(
        **{"folder": folder, "id": "new", "output_dir": tmp_path, **words, **changes}
    )


def test_file_is_written_and_reads_back(folder, tmp_path, caplog):
    run(config(folder, tmp_path, order=7, names=["qat-int8=QAT int8 (block 32)"]))
    table = read_table(tmp_path / "new.json")
    assert (table.order, table.section, table.title) == (7, "accuracy", "T")
    assert "QAT int8 (block 32)" in [row["row"] for row in table.rows]
    assert f"{tmp_path / 'new.json'}: 6 rows, " in caplog.text


def test_an_existing_file_stays_unless_told(folder, tmp_path):
    path = tmp_path / "new.json"
    path.write_text("old")
    with pytest.raises(InputError, match="new.json: exists; give --replace true"):
        run(config(folder, tmp_path))
    assert path.read_text() == "old"
    run(config(folder, tmp_path, replace=True))
    assert read_table(path).id == "new"


def test_nothing_is_written_that_would_not_read(folder, tmp_path):
    with pytest.raises(InputError, match=r"question: expected text, got ' '"):
        run(config(folder, tmp_path, question=" "))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Study 1"}, "--id 'Study 1': expected small letters, digits and hyphens"),
        ({"id": "../x"}, "--id '../x': expected small letters"),
        ({"names": ["qat"]}, "--names 'qat': expected ROW=NAME"),
        ({"names": ["qat="]}, "--names 'qat=': expected ROW=NAME"),
    ],
)
def test_wrong_flags(folder, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        config(folder, tmp_path, **changes)


def test_command_line(folder, tmp_path):
    words = ["--folder", str(folder), "--id", "cli", "--title", "T", "--question", "Q?",
             "--reading", "R.", "--section", "size", "--output_dir", str(tmp_path)]  # fmt: skip
    main(PublishResultsConfig, run, words)
    assert read_table(tmp_path / "cli.json").section == "size"
