"""Paired differences: shared clips, sums over seeds, adjusted p values."""

from pathlib import Path

import pytest

from tests.report.synthetic import row
from whisper_qat.metrics.wer import Counts
from whisper_qat.report.evaluation.comparisons import ALL, Tallies, compare, compare_all
from whisper_qat.report.evaluation.groups import Group, Pair
from whisper_qat.report.evaluation.resampling_units import ResamplingUnits
from whisper_qat.report.evaluation.rows import read_row
from whisper_qat.report.evaluation.tally import Tally

WORDS = 10


def group(*names: str, trained: bool = True) -> Group:
    records = [row(n, "qat", training_seed=i if trained else None) for i, n in enumerate(names)]
    return Group(name="+".join(names), rows=[read_row(r, Path("m.json")) for r in records])


def tallies(errors: dict[str, list[int]], corpora: tuple[str, ...] = ("prompts",)) -> Tallies:
    """Row name -> errors of clips c0, c1, ... of 10 words, the same on every corpus."""
    of = {}
    for name, numbers in errors.items():
        counts = {
            f"c{i}": Counts(substitutions=n, deletions=0, insertions=0, words=WORDS)
            for i, n in enumerate(numbers)
        }
        of |= {(name, corpus): Tally(words=counts, chars=counts) for corpus in corpora}
    label = {f"c{i}": f"c{i}" for i in range(max(map(len, errors.values())))}
    return Tallies(
        normalizer="card",
        of=of,
        units={c: ResamplingUnits(unit="clip", label=label) for c in corpora},
    )


def test_delta_regressions_and_improvements():
    counted = tallies({"a": [1, 2, 0, 3], "b": [2, 1, 0, 1]})
    found = compare(Pair(kind="total", a=group("a"), b=group("b")), ["prompts"], counted)
    assert found is not None
    assert (found["wer_a"], found["wer_b"]) == (6 / 40, 4 / 40)
    assert found["delta"] == pytest.approx(-2 / 40)
    assert (found["regressions"], found["improvements"], found["transcripts"]) == (1, 2, 4)
    assert found["low"] <= found["delta"] <= found["high"]
    assert (found["clips"], found["words"], found["blocks"]) == (4, 40, 4)


def test_only_clips_of_both_rows_count():
    counted = tallies({"a": [1, 2, 0, 3], "b": [1, 2]})
    found = compare(Pair(kind="total", a=group("a"), b=group("b")), ["prompts"], counted)
    assert found is not None
    assert (found["clips"], found["delta"]) == (2, 0.0)


def test_no_common_clip_is_no_comparison():
    pair = Pair(kind="total", a=group("a"), b=group("b"))
    assert compare(pair, ["prompts"], tallies({"a": [1]})) is None


def test_seeds_are_summed_per_clip_and_a_single_row_is_repeated():
    counted = tallies({"base": [1, 1, 1], "q0": [2, 1, 1], "q1": [1, 0, 1]})
    pair = Pair(kind="adaptation", a=group("base", trained=False), b=group("q0", "q1"))
    found = compare(pair, ["prompts"], counted)
    assert found is not None
    assert (found["clips"], found["words"], found["transcripts"]) == (3, 30, 6)
    assert (found["wer_a"], found["wer_b"]) == (6 / 60, 6 / 60)
    assert [(m["a"], m["b"]) for m in found["members"]] == [("base", "q0"), ("base", "q1")]
    assert [m["delta"] for m in found["members"]] == pytest.approx([1 / 30, -1 / 30])
    assert found["seeds"] == [0, 1]


def test_every_corpus_and_all_with_holm_within_each():
    counted = tallies(
        {"a": [1, 2, 0, 3, 1], "b": [2, 1, 0, 1, 0], "c": [3, 3, 3, 3, 3]}, ("prompts", "verse")
    )
    pairs = [Pair(kind="total", a=group("a"), b=group(name)) for name in ("b", "c")]
    found = compare_all(pairs, ["prompts", "verse"], counted)
    assert [(c["corpus"], c["b"]) for c in found] == [
        (ALL, "b"), (ALL, "c"), ("prompts", "b"), ("prompts", "c"), ("verse", "b"), ("verse", "c"),
    ]  # fmt: skip
    assert all(c["p_holm"] >= c["p"] for c in found)


def test_one_corpus_is_not_repeated():
    counted = tallies({"a": [1, 2], "b": [2, 1]})
    pair = Pair(kind="total", a=group("a"), b=group("b"))
    assert [c["corpus"] for c in compare_all([pair], ["prompts"], counted)] == [ALL]
