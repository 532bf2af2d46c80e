"""Cells of the tables: units, intervals and missing measurements."""

import pytest

from tests.report.benchmark_folder import write_benchmark
from whisper_qat.report.benchmark.results import summarize
from whisper_qat.report.benchmark.tables import error_rate, machine, tables, times


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    results = summarize(write_benchmark(tmp_path_factory.mktemp("bench")))
    return {one.title: one for one in tables(results)}


def test_titles(found):
    assert list(found) == [
        "set-short", "set-long", "Size, threads and start-up", "Decoding and padding",
    ]  # fmt: skip
    assert found["set-short"].note == "3 clips, 6 s of audio, 3 rounds."


def test_cells(found):
    table = found["set-short"]
    cells = dict(zip([c.title for c in table.columns], table.rows[1], strict=True))
    assert cells["RTFx"] == "4.0"
    assert cells["× slow"] == "2.00"  # of every clip
    assert cells["Tokens/s"] == "20.0"
    assert cells["Peak MB"] == "100.0"
    assert cells["WER, %"].startswith("16.67 [")
    slow = dict(zip([c.title for c in table.columns], table.rows[0], strict=True))
    assert slow["Tokens/s"] == "–"


def test_times():
    assert times(None) == ""
    ratio = {"rate": 1.5, "low": 1.25, "high": 2.0}
    assert times(ratio) == "1.50"
    assert times(ratio, interval=True) == "1.50 [1.25, 2.00]"


def test_one_clip_has_no_interval():
    one = {"rate": 0.5, "low": 0.5, "high": 0.5}
    assert times(one, interval=True) == "0.50" and error_rate(one) == "50.00"
    assert error_rate(one | {"low": 0.25}) == "50.00 [25.00, 50.00]" and error_rate(None) == ""


def test_machine_says_when_it_was_busy(found):
    here = {"cpu": {"name": "CPU", "isa": ["avx2"]}, "cores": 2, "command": ["x"],
            "load_average": 3.0, "busy": True}  # fmt: skip
    assert "the machine was busy: rely on ratios" in machine({"environment": here})
    assert "busy" not in machine({"environment": here | {"busy": False}})
