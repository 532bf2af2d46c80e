"""Pooling: three evaluations of one seed each give the report of one evaluation of three seeds."""

import json
import shutil

import pytest

from tests.report.synthetic import all_rows, corpus, write_evaluation, write_rows
from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.forced_records import forced_path
from whisper_qat.report.evaluation.pool import pool
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.runs.folders import read_json, write_json

COMMAND = ["pool_evaluations.py", "--evaluations", "..."]
CORPORA = [corpus("prompts", 12), corpus("verse", 6)]


def of_seed(rows, seed):
    return [row for row in rows if row["training_seed"] in (None, seed)]


@pytest.fixture
def parts(tmp_path):
    """The evaluations of three seeds, each with the untrained rows."""
    rows = all_rows(seeds=3)
    return [
        write_evaluation(tmp_path / f"s{seed}", of_seed(rows, seed), CORPORA) for seed in range(3)
    ]


def test_figures_are_those_of_one_evaluation_of_all_rows(parts, tmp_path):
    pool(parts, tmp_path / "pooled", COMMAND)
    whole = write_evaluation(tmp_path / "whole", all_rows(seeds=3), CORPORA)
    found, wanted = summarize(tmp_path / "pooled"), summarize(whole)
    assert found["comparisons"] == wanted["comparisons"]
    assert found["group_summary"] == wanted["group_summary"]
    assert found["claims"] == wanted["claims"] and len(found["groups"]) == 6


def test_times_of_different_days_are_left_out(parts, tmp_path):
    pool(parts, tmp_path / "pooled", COMMAND)
    results = summarize(tmp_path / "pooled")
    assert results["speed"] == [] and summarize(parts[0])["speed"] != []
    assert {row["peak_rss_bytes"] for row in results["rows"]} == {None}
    sources = results["config"]["evaluations"]
    assert sources == [str(folder) for folder in parts]


def test_machines_and_revisions_are_all_named(parts, tmp_path):
    measurements = read_json(parts[1] / "measurements.json")
    measurements["environment"] |= {
        "cpu": {"name": "Another CPU", "isa": ["avx2"]},
        "git_revision": "abc",
    }
    write_json(parts[1] / "measurements.json", measurements)
    pool(parts, tmp_path / "pooled", COMMAND)
    environment = read_json(tmp_path / "pooled" / "measurements.json")["environment"]
    assert environment["cpu"] == {"name": "Test CPU, Another CPU", "isa": ["avx2"]}
    assert "abc" in environment["pooled_revisions"] and environment["command"] == COMMAND


def test_losses_are_joined(parts, tmp_path):
    path = forced_path(parts[2], "control-s2", "control-s2", "verse")
    path.parent.mkdir(parents=True)
    record = {"id": "clip_000", "tokens": 10, "loss": 1.0, "kl": 0.0, "agreeing": 10}
    path.write_text(json.dumps(record) + "\n")
    pool(parts, tmp_path / "pooled", COMMAND)
    copied = forced_path(tmp_path / "pooled", "control-s2", "control-s2", "verse")
    assert copied.read_text() == path.read_text()


def test_another_decoding_is_refused(parts, tmp_path):
    measurements = read_json(parts[1] / "measurements.json")
    measurements["decoding"] |= {"strategy": "beam 5"}
    write_json(parts[1] / "measurements.json", measurements)
    with pytest.raises(InputError, match=r"s1: decoding .*beam 5.* only evaluations of equal"):
        pool(parts, tmp_path / "pooled", COMMAND)


def test_other_clips_are_refused(parts, tmp_path):
    other = write_evaluation(tmp_path / "other", all_rows(), [corpus("prompts", 11), CORPORA[1]])
    with pytest.raises(InputError, match=r"other: other corpora, clips or reference texts than"):
        pool([parts[0], other], tmp_path / "pooled", COMMAND)


def test_one_name_for_two_models_is_refused(parts, tmp_path):
    shutil.copytree(parts[0], tmp_path / "again")
    text = (parts[0] / "rows/qat-int8-s0/verse.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    lines[0]["hypothesis"] = "other words"
    write_rows(tmp_path / "again", "qat-int8-s0", "verse", lines)
    message = "again: row qat-int8-s0 has other transcripts than in .*s0; rows of one name are one"
    with pytest.raises(InputError, match=message):
        pool([parts[0], tmp_path / "again"], tmp_path / "pooled", COMMAND)
