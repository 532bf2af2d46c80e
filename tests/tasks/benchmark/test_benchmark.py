"""The benchmark end to end on a tiny model; settings, refusals, resumption."""

import json

import pytest

from tests.tasks.evaluation_folders import write_clips
from whisper_qat.errors import GateError, InputError
from whisper_qat.measure.systems.system import SystemMissing
from whisper_qat.runs.folders import read_json, read_manifest
from whisper_qat.tasks.benchmark import benchmark, rows
from whisper_qat.tasks.benchmark.benchmark import BenchmarkConfig, load_at_start, run


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"), seconds=(1.0, 1.5, 9.0, 9.5, 8.0))


def config(base, clips, root, **changes):
    settings = {
        "model_path": base, "output_dir": root / "bench", "data": [str(clips)],
        "rows": ["ours-int8", "ours-int8-short"], "reference": "ours-int8", "short_clips": 2,
        "full_clips": 1, "long_s": 0.0, "rounds": 1, "start_rounds": 1, "threads": 1,
        "fixed_tokens": 4, "max_new_tokens": 5,
    }  # fmt: skip
    return BenchmarkConfig(**settings | changes)


def test_rows_of_one_checkpoint(tiny_whisper, clips, tmp_path, capsys):
    settings = config(tiny_whisper, clips, tmp_path)
    run(settings)
    told = capsys.readouterr().out
    assert "ours-int8-short" in told
    results = read_json(tmp_path / "bench" / "results.json")
    scored = {(s["row"], s["set"]): s for s in results["scores"]}
    assert set(scored) == {
        ("ours-int8", "test-short"), ("ours-int8-short", "test-short"), ("ours-int8", "test-30s")
    }  # fmt: skip
    assert scored["ours-int8", "test-short"]["speedup"]["rate"] == 1
    assert scored["ours-int8", "test-30s"]["first_tokens"] == 1
    assert results["rows"][0]["first_transcript_s"] > 0
    manifest = read_manifest(tmp_path / "bench")
    assert set(manifest["inputs"]) == {"ours-int8", "ours-int8-short"}
    for name in ("report.md", "report.html", "plot.svg"):
        assert (tmp_path / "bench" / name).stat().st_size > 500

    journal = tmp_path / "bench" / "rounds" / "test-short.jsonl"
    before = journal.read_text()
    run(settings)
    assert journal.read_text() == before
    with pytest.raises(InputError, match=r"exists with other settings \(threads=1, now 2\)"):
        run(config(tiny_whisper, clips, tmp_path, threads=2))
    more = config(tiny_whisper, clips, tmp_path, rounds=2, rows=["ours-int8"])
    run(more)
    assert journal.read_text().startswith(before)
    rounds = [json.loads(line)["round"] for line in journal.read_text().splitlines()]
    assert rounds.count(1) == 4


def test_missing_runtimes_are_named_in_one_line_each(tiny_whisper, clips, tmp_path, monkeypatch):
    def absent(module):
        raise SystemMissing(f"{module} cannot be imported")

    monkeypatch.setattr(rows, "require_module", absent)
    with pytest.raises(
        GateError,
        match=r"no row can be measured: whisper.cpp-q4_0: left out: _pywhispercpp cannot be",
    ):
        run(config(tiny_whisper, clips, tmp_path, rows=["whisper.cpp-q4_0"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rounds": 0}, "--rounds 0: expected a number from 1"),
        ({"short_clips": -1}, "--short_clips -1: expected 0 or more"),
        ({"fixed_tokens": 1}, "--fixed_tokens 1: expected 0, or 3 to 200"),
        ({"max_threads": 2}, "--max_threads: is for the pilot"),
        ({"margin_s": 40.0}, "--margin_s 40.0: expected 0 to 30 seconds"),
        ({"data": []}, "--data: expected a manifest or data folder"),
        ({"normalizer": "cart"}, "expected one of card, fr; did you mean 'card'?"),
        ({"rows": ["ours-int9"]}, "--rows 'ours-int9': expected .*did you mean 'ours-int8'"),
    ],
)
def test_bad_flags(tiny_whisper, clips, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        config(tiny_whisper, clips, tmp_path, **changes)


def test_no_checkpoint(tiny_whisper, clips, tmp_path):
    with pytest.raises(InputError, match=r"--model_path .*none: no such folder"):
        run(config(tmp_path / "none", clips, tmp_path))


@pytest.mark.parametrize(("load", "busy"), [(0.1, False), (99.0, True)])
def test_a_busy_machine_is_said(monkeypatch, caplog, load, busy):
    monkeypatch.setattr(benchmark.os, "getloadavg", lambda: (load, 0, 0))
    assert load_at_start() == {"load_average": load, "busy": busy}
    assert ("the machine is busy" in caplog.text) == busy
