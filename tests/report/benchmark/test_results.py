"""Statistics of a benchmark with known numbers."""

import pytest

from tests.report.benchmark_folder import write_benchmark
from whisper_qat.report.benchmark.results import summarize


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return summarize(write_benchmark(tmp_path_factory.mktemp("bench")))


def score(results, row, name="set-short"):
    (found,) = [s for s in results["scores"] if (s["row"], s["set"]) == (row, name)]
    return found


def test_medians_not_means(results):
    slow, fast = score(results, "slow"), score(results, "fast")
    assert slow["rtfx"] == pytest.approx(6 / 3)
    assert fast["rtfx"] == pytest.approx(6 / 1.5)
    assert (fast["clips"], fast["measurements"]) == (3, 9)
    assert fast["p50_s"] == pytest.approx(0.5)
    assert fast["p99_s"] > 5  # the tail shows what the median hides


def test_ratios_to_the_reference(results):
    found = score(results, "fast")["speedup"]
    assert found["rate"] == pytest.approx(2.0)
    assert found["low"] <= 2.0 <= found["high"]
    assert found["over"] == "clips"
    assert score(results, "fast")["cpu_speedup"]["rate"] == pytest.approx(4.0)
    assert score(results, "slow")["speedup"]["rate"] == 1


def test_one_clip_is_compared_round_by_round(results):
    found = score(results, "fast", "set-long")["speedup"]
    assert (found["rate"], found["low"], found["high"], found["over"]) == (5, 5, 5, "rounds")


def test_first_token_and_rate_of_decoding(results):
    fast = score(results, "fast")
    assert (fast["first_token_s"], fast["first_tokens"]) == (0.2, 1)
    assert fast["tokens_per_s"] == pytest.approx(10 / 0.5)
    assert score(results, "slow")["tokens_per_s"] is None


def test_words(results):
    assert score(results, "slow")["wer"]["rate"] == 0
    assert score(results, "fast")["wer"]["rate"] == pytest.approx(1 / 6)
    assert score(results, "fast")["unsteady_clips"] == 0
    assert score(results, "fast", "set-long")["unsteady_clips"] == 1


def test_starts(results):
    slow, fast = results["rows"]
    assert (fast["first_transcript_s"], fast["open_s"]) == (2.0, 0.5)
    assert slow["first_transcript_s"] is None


def test_no_reference(tmp_path):
    folder = write_benchmark(tmp_path)
    text = (folder / "measured.json").read_text()
    (folder / "measured.json").write_text(text.replace('"reference": "slow"', '"reference": "x"'))
    assert {s["speedup"] for s in summarize(folder)["scores"]} == {None}
