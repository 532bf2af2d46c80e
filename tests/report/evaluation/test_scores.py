"""Error rates are ratios of sums, on each corpus and on all together."""

import pytest

from whisper_qat.metrics.wer import Counts
from whisper_qat.report.evaluation.comparisons import ALL, Tallies
from whisper_qat.report.evaluation.resampling_units import ResamplingUnits
from whisper_qat.report.evaluation.scores import rate, score, score_all
from whisper_qat.report.evaluation.tally import Tally


def counts(errors: int, words: int) -> Counts:
    return Counts(substitutions=errors, deletions=0, insertions=0, words=words)


def tallies() -> Tallies:
    one = Tally(words={"c0": counts(1, 2)}, chars={"c0": counts(2, 8)}, empty_references=["c9"])
    two = Tally(words={"c0": counts(1, 8)}, chars={"c0": counts(1, 32)})
    units = ResamplingUnits(unit="clip", label={"c0": "c0"})
    return Tallies(
        normalizer="card",
        of={("a", "prompts"): one, ("a", "verse"): two, ("b", "verse"): two},
        units={"prompts": units, "verse": units},
    )


def test_all_is_the_ratio_of_sums_not_the_mean_of_rates():
    found = score("a", ["prompts", "verse"], tallies())
    assert found is not None
    assert found["wer"]["rate"] == pytest.approx(2 / 10)
    assert found["cer"]["rate"] == pytest.approx(3 / 40)
    assert found["words"] == {"substitutions": 2, "deletions": 0, "insertions": 0, "words": 10}
    assert (found["clips"], found["empty_references"]) == (2, ["c9"])


def test_rows_without_a_corpus_are_absent():
    found = score_all(["a", "b", "c"], ["prompts", "verse"], tallies())
    assert [(s["row"], s["corpus"]) for s in found] == [
        ("a", "prompts"), ("a", "verse"), ("b", "verse"), ("a", ALL), ("b", ALL),
    ]  # fmt: skip


def test_no_words_have_no_rate():
    assert rate([], []) is None
