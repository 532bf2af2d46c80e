"""The pool command: a folder that reads as an evaluation, and refusals that name the folder."""

import pytest

from tests.report.synthetic import all_rows, corpus, write_evaluation
from whisper_qat.cli import command
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_manifest
from whisper_qat.tasks.pool_evaluations import KIND, PoolEvaluationsConfig, run

CORPORA = [corpus("prompts", 12)]


@pytest.fixture
def parts(tmp_path):
    rows = all_rows(seeds=3)
    by_seed = [[r for r in rows if r["training_seed"] in (None, seed)] for seed in range(3)]
    folders = [tmp_path / f"s{i}" for i in range(3)]
    for folder, of_seed in zip(folders, by_seed, strict=True):
        write_evaluation(folder, of_seed, CORPORA)
    return list(map(str, folders))


def test_a_pooled_folder_is_an_evaluation_with_a_report(parts, tmp_path, capsys):
    target = tmp_path / "pooled"
    words = ["--evaluations", *parts, "--output_dir", str(target)]
    assert command.main(PoolEvaluationsConfig, run, words) == 0
    assert read_manifest(target)["kind"] == KIND and len(read_manifest(target)["inputs"]) == 3
    assert "pooled over 3 training seeds" in (target / "report.md").read_text()
    assert (target / "report.html").is_file() and "3 seeds" in capsys.readouterr().out


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="--evaluations: expected one folder or more"):
        PoolEvaluationsConfig(evaluations=[], output_dir=tmp_path)


def test_a_folder_of_another_kind_is_named(tmp_path):
    with pytest.raises(InputError, match=r"--evaluations .*models: no measurements.json; exp"):
        PoolEvaluationsConfig(
            evaluations=[str(tmp_path / "models")], output_dir=tmp_path / "pooled"
        )


def test_another_folder_is_not_overwritten(parts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match=r"--output_dir .*mine: exists and is no evaluation"):
        run(PoolEvaluationsConfig(evaluations=parts, output_dir=tmp_path / "mine"))
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
