"""The plot has a panel for each set with a WER, and names every row."""

from tests.report.benchmark_folder import write_benchmark
from whisper_qat.report.benchmark.plot import scores_with_wer, wer_against_speed
from whisper_qat.report.benchmark.results import summarize


def test_rows_and_sets_are_named(tmp_path):
    results = summarize(write_benchmark(tmp_path))
    svg = wer_against_speed(results)
    assert svg.startswith("<svg")
    for word in ("fast", "slow", "set-short", "set-long"):
        assert f">{word}" in svg
    assert len(scores_with_wer(results, "set-short")) == 2


def test_nothing_to_draw():
    assert wer_against_speed({"sets": [{"name": "a"}], "scores": [], "rows": []}) is None
