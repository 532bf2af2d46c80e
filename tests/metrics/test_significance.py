"""The bootstrap compared with scipy; permutation and Holm compared with closed forms."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from whisper_qat.metrics import significance
from whisper_qat.metrics.wer import Counts


def make(errors, words):
    return [
        Counts(substitutions=int(e), deletions=0, insertions=0, words=int(w))
        for e, w in zip(errors, words, strict=True)
    ]


@pytest.fixture
def systems():
    rng = np.random.default_rng(0)
    words = rng.integers(3, 20, 200)
    a = rng.binomial(words, 0.2)
    return make(a, words), make(np.clip(a + rng.integers(-1, 3, 200), 0, None), words)


def test_interval_agrees_with_scipy(systems):
    a, b = systems
    found = significance.paired_bootstrap(a, b)
    difference = np.array([y.errors - x.errors for x, y in zip(a, b, strict=True)])
    words = np.array([x.words for x in a])
    expected = stats.bootstrap(
        (difference, words), lambda d, w, axis: d.sum(axis) / w.sum(axis), paired=True,
        vectorized=True, n_resamples=10_000, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    assert found.delta == difference.sum() / words.sum()
    assert found.low == pytest.approx(expected.low, abs=1.5e-3)
    assert found.high == pytest.approx(expected.high, abs=1.5e-3)
    assert found.p < 0.001
    assert (found.n, found.blocks) == (200, 200)


def test_equal_systems_differ_by_nothing(systems):
    a, _ = systems
    found = significance.paired_bootstrap(a, a)
    assert (found.delta, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_sign_follows_the_order(systems):
    a, b = systems
    assert significance.paired_bootstrap(a, b).delta > 0 > significance.paired_bootstrap(b, a).delta


def test_blocks_are_resampled_whole():
    """Ten utterances of one block move together: only two blocks, so only three possible rates."""
    words = [10] * 20
    counts = make([5] * 10 + [0] * 10, words)
    found = significance.interval(counts, blocks=["x"] * 10 + ["y"] * 10)
    assert (found.rate, found.low, found.high) == (0.25, 0.0, 0.5)
    apart = significance.interval(counts)
    assert apart.high < 0.4


def test_the_seed_decides(systems):
    a, b = systems
    runs = [significance.paired_bootstrap(a, b, seed=s).low for s in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_approximate_randomization_of_a_known_case():
    """Four utterances, each one error worse: 2 of the 16 sign patterns are as far, p = 1/8."""
    a, b = make([0] * 4, [5] * 4), make([1] * 4, [5] * 4)
    assert significance.approximate_randomization(a, b) == pytest.approx(1 / 8, abs=0.01)


def test_holm_known_values():
    """The example of R's p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm")."""
    assert significance.holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert significance.holm([0.04, 0.01]) == pytest.approx([0.04, 0.02])
    assert significance.holm([0.9, 0.8]) == [1.0, 1.0]
    assert significance.holm([]) == []


def test_smallest_margin_is_the_upper_end(systems):
    a, b = systems
    found = significance.paired_bootstrap(a, b)
    assert significance.smallest_margin(found) == found.high
    assert significance.smallest_margin(significance.paired_bootstrap(b, a)) == 0.0


def test_unpaired_input_is_refused(systems):
    a, b = systems
    with pytest.raises(
        ValueError, match="200, 199 utterances and 200 block labels: the numbers must"
    ):
        significance.paired_bootstrap(a, b[:-1])
    with pytest.raises(ValueError, match="scored against different references"):
        significance.paired_bootstrap(a[:2], [b[1], b[0]] if b[0].words != b[1].words else b[5:7])


def test_memory_does_not_grow_with_the_resamples():
    """10,000 x 2,000 indices are 160 MB at once; a chunk of them and what it selects are 24."""
    counts = make([1] * 2000, [5] * 2000)
    tracemalloc.start()
    significance.paired_bootstrap(counts, counts)
    significance.approximate_randomization(counts, counts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80e6


def test_a_block_without_words_is_refused():
    with pytest.raises(ValueError, match="a block has no reference words; leave its utterances"):
        significance.interval(make([0, 1], [5, 0]))


def test_a_ratio_of_float_sums_has_the_interval_of_counts_divided(systems):
    """Losses that are a hundredth of the counts: rate, interval and p follow."""
    a, b = systems
    words = [count.words for count in a]
    counted = significance.paired_bootstrap(a, b)
    smaller = [[count.errors / 128 for count in system] for system in systems]
    found = significance.paired_ratio(*smaller, words)
    assert found.delta == counted.delta / 128
    assert (found.low, found.high) == pytest.approx((counted.low / 128, counted.high / 128))
    assert (found.p, found.n, found.blocks) == (counted.p, counted.n, counted.blocks)
    one, rate = significance.ratio_interval(smaller[0], words), significance.interval(a)
    assert (one.rate, one.low, one.high) == pytest.approx(
        (rate.rate / 128, rate.low / 128, rate.high / 128)
    )


def test_a_ratio_of_two_blocks_by_hand():
    """0.5 + 0.25 over 1 + 2 tokens; drawn in two blocks, the rate is 1/2, 1/4 or 1/8."""
    found = significance.ratio_interval([0.5, 0.25], [1, 2], blocks=["x", "y"])
    assert (found.rate, found.low, found.high) == (0.25, 0.125, 0.5)
