"""Result files take their numbers, hash, machine and settings from finished folders."""

import pytest

from tests.report.benchmark_folder import write_benchmark
from tests.report.synthetic import all_rows, corpus, write_evaluation
from whisper_qat.errors import InputError
from whisper_qat.report.benchmark import results as benchmark
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.report.published.extract import Labels, extract, strip_folders
from whisper_qat.report.published.page import section
from whisper_qat.report.published.reading import table_of
from whisper_qat.runs.folders import hash_file, read_json, write_json, write_manifest


def labels(**changes):
    words = {"id": "new", "title": "T", "question": "Q?", "reading": "R.", "order": 1}
    return Labels(**{"section": "accuracy", **words, **changes})


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "study"
    write_evaluation(folder, all_rows(seeds=3), [corpus("prompts", 20), corpus("verse", 10)])
    summarize(folder)
    write_manifest(folder, kind="evaluation", inputs={}, config={})
    return folder


@pytest.fixture(scope="module")
def benchmarked(tmp_path_factory):
    folder = write_benchmark(tmp_path_factory.mktemp("runs") / "bench")
    benchmark.summarize(folder)
    write_manifest(folder, kind="benchmark", inputs={}, config={})
    return folder


def test_evaluation_gives_pooled_rows(evaluation, tmp_path):
    record = extract(evaluation, labels())
    table = table_of(record, tmp_path / "new.json")
    results = read_json(evaluation / "results.json")
    groups = {g["group"]: g for g in results["group_summary"] if g["corpus"] == "all"}
    rows = {row["row"]: row for row in table.rows}
    assert rows.keys() == groups.keys()
    qat = groups["qat-int8 (3 seeds)"]
    assert rows["qat-int8 (3 seeds)"] == {
        "row": "qat-int8 (3 seeds)", "context": "dynamic (+1 s)", "seeds": 3, "size_mb": 81.78802,
        "wer": round(qat["wer"]["rate"], 6),
        "wer_low": round(qat["wer"]["low"], 6),
        "wer_high": round(qat["wer"]["high"], 6),
        "delta": round(qat["delta"]["delta"], 6),
        "delta_low": round(qat["delta"]["low"], 6),
        "delta_high": round(qat["delta"]["high"], 6),
    }  # fmt: skip
    assert rows["control (3 seeds)"]["delta"] is None
    assert [c.name for c in table.columns] == [
        "row", "context", "wer", "delta", "size_mb", "seeds"
    ]  # fmt: skip
    assert "wer_low" in section(table) or "[" in section(table)


def test_evaluation_says_what_its_numbers_rest_on(evaluation):
    record = extract(evaluation, labels(notes=["One."]))
    manifest = read_json(evaluation / "manifest.json")
    assert record["date"] == manifest["created"][:10]
    assert record["commit"] == "0123456789abcdef0123456789abcdef01234567"
    assert record["command"] == "scripts/evaluate_qat.py --model_path 'outputs/models/qat int8'"
    assert record["source"]["kind"] == "measured"
    assert record["source"]["folder"] == "study"
    assert record["source"]["results_sha256"] == hash_file(evaluation / "results.json")
    assert record["source"]["models"]["qat-int8-s1"] == "hash-of-qat-int8-s1"
    assert record["machine"]["cpu"] == "Test CPU"
    assert record["machine"]["isa"] == ["avx2", "avx512f"]
    assert record["notes"] == ["One."]
    settings = record["settings"]
    assert settings["model"] == "whisper-base"
    assert settings["test_sets"][0]["name"] == "prompts"
    assert settings["test_sets"][0]["clips"] == 20
    assert sum(one["words"] for one in settings["test_sets"]) == 261
    assert settings["normalizer"] == "card"
    assert settings["training_seeds"] == [0, 1, 2]
    assert settings["intervals"] == "95 %, bootstrap over clips"
    assert settings["audio_context"] is None  # the rows differ: a column says it


def test_one_context_is_a_setting(tmp_path):
    folder = tmp_path / "one"
    rows = [row for row in all_rows() if row["name"] != "base-float-full"]
    write_evaluation(folder, rows, [corpus("prompts", 10)])
    summarize(folder)
    write_manifest(folder, kind="evaluation", inputs={}, config={})
    record = extract(folder, labels())
    assert record["settings"]["audio_context"] == "dynamic (+1 s)"
    assert "context" not in [one["name"] for one in record["columns"]]


def test_rows_may_be_renamed(evaluation):
    names = {"control (3 seeds)": "float control"}
    rows = extract(evaluation, labels(names=names))["rows"]
    assert "float control" in [row["row"] for row in rows]
    with pytest.raises(InputError, match="--names control: no such row"):
        extract(evaluation, labels(names={"control": "x"}))


def test_benchmark_gives_one_set(benchmarked, tmp_path):
    record = extract(benchmarked, labels(section="speed"), "set-short")
    rows = {row["row"]: row for row in table_of(record, tmp_path / "new.json").rows}
    assert rows["fast"]["ratio"] == 2.0
    assert rows["fast"]["wer"] == pytest.approx(1 / 6, abs=1e-6)
    assert rows["fast"]["p50_s"] == 0.5
    assert rows["fast"]["tokens_per_s"] == pytest.approx(20)
    assert (rows["fast"]["size_mb"], rows["fast"]["peak_mb"]) == (50.0, 100.0)
    assert "ratio_low" not in rows["slow"]  # the reference itself
    settings = record["settings"]
    assert settings["test_sets"] == [{"name": "set-short", "clips": 3, "words": 6}]
    assert record["machine"] == {
        "cpu": "CPU", "isa": ["avx2"], "cores": 2, "threads": 2,
        "load": "load average 3 at the start, busy",
    }  # fmt: skip
    assert record["command"] == "scripts/benchmark.py"
    assert record["source"]["models"] == {"slow": "f", "fast": "f"}
    ratio = next(one for one in record["columns"] if one["name"] == "ratio")
    assert ratio["title"] == "× slow"


def test_threads_that_differ_are_a_column(benchmarked, tmp_path):
    folder = tmp_path / "bench"
    results = read_json(benchmarked / "results.json")
    results["rows"][1]["threads"] = 1
    write_json(folder / "results.json", results)
    write_manifest(folder, kind="benchmark", inputs={}, config={})
    record = extract(folder, labels(), "set-short")
    assert record["machine"]["threads"] is None
    assert [row["threads"] for row in record["rows"]] == [2, 1]


def test_a_benchmark_of_several_sets_needs_one_named(benchmarked):
    for given, words in [(None, "None"), ("set-shirt", "set-shirt")]:
        with pytest.raises(InputError, match=f"--clip_set {words}: expected one of set-long, set-"):
            extract(benchmarked, labels(), given)


def test_an_evaluation_has_one_table(evaluation):
    with pytest.raises(InputError, match="--clip_set x: applies to benchmarks only"):
        extract(evaluation, labels(), "x")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="unfinished or not one of ours"):
        extract(tmp_path, labels())
    write_manifest(tmp_path, kind="training", inputs={}, config={})
    write_json(tmp_path / "results.json", {})
    with pytest.raises(InputError, match="expected an evaluation or a benchmark, got .*'training'"):
        extract(tmp_path, labels())


def test_command_without_the_folders_of_one_machine():
    inside, outside = "outputs/models/x", "/srv/someone/x"
    assert strip_folders(
        f"/srv/checkout/scripts/benchmark.py --a {inside} --b {outside} --c n={outside}"
    ) == (f"scripts/benchmark.py --a {inside} --b x --c n=x")
    assert strip_folders("") == ""
