"""Confidence intervals and p values of ratios of sums, from a paired bootstrap.

A ratio is errors per word, or loss or KL per token. The bootstrap resamples blocks (utterances, or
whole speakers and recordings) with replacement and computes the ratio of sums each time (Bisani and
Ney 2004). Intervals are percentile intervals; p is two-sided, from the centred distribution, with
1 added to both counts as in `significance.py` of sacrebleu.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.metrics.wer import Counts

CHUNK = 500  # resamples at a time, which bounds the memory for corpora with many blocks


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A rate with the ends of its 95 % interval, as fractions."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """delta = rate(b) - rate(a) with 95 % interval and p; `n` utterances in `blocks` blocks."""

    delta: float
    low: float
    high: float
    p: float
    n: int
    blocks: int


def interval(
    counts: Sequence[Counts],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of the error rate of one system."""
    errors, words = _errors(counts), _words([counts])
    return ratio_interval(errors, words, blocks=blocks, resamples=resamples, seed=seed)


def ratio_interval(
    numerators: Sequence[float],
    denominators: Sequence[float],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of sum(numerators) / sum(denominators), with one pair per utterance."""
    (above,), below = _block_sums([numerators], denominators, blocks)
    rates = np.concatenate(
        [above[i].sum(1) / below[i].sum(1) for i in _draws(len(below), resamples, seed)]
    )
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(rate=float(above.sum() / below.sum()), low=float(low), high=float(high))


def paired_bootstrap(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare the error rates of two systems on the same utterances; ValueError if they differ."""
    words = _words([a, b])
    return paired_ratio(
        _errors(a), _errors(b), words, blocks=blocks, resamples=resamples, seed=seed
    )


def paired_ratio(
    a: Sequence[float],
    b: Sequence[float],
    denominators: Sequence[float],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare sum(b) / sum(denominators) with sum(a) / sum(denominators)."""
    (sums_a, sums_b), below = _block_sums([a, b], denominators, blocks)
    difference = sums_b - sums_a
    observed = difference.sum() / below.sum()
    deltas = np.concatenate(
        [difference[i].sum(1) / below[i].sum(1) for i in _draws(len(below), resamples, seed)]
    )
    low, high = np.percentile(deltas, [2.5, 97.5])
    as_far = np.sum(np.abs(deltas - deltas.mean()) >= abs(observed) - 1e-15)
    return Comparison(
        delta=float(observed), low=float(low), high=float(high),
        p=float((as_far + 1) / (resamples + 1)), n=len(a), blocks=len(below),
    )  # fmt: skip


def approximate_randomization(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of the hypothesis that two systems are equal (Noreen 1989), as a cross-check.

    The two results of each block are swapped with probability 1/2.
    """
    (errors_a, errors_b), _ = _block_sums([_errors(a), _errors(b)], _words([a, b]), blocks)
    difference = errors_b - errors_a
    rng = np.random.default_rng(seed)
    as_far = 0
    for first in range(0, resamples, CHUNK):
        signs = rng.choice([-1, 1], (min(CHUNK, resamples - first), len(difference)))
        as_far += int(np.sum(np.abs(signs @ difference) >= abs(difference.sum())))
    return float((as_far + 1) / (resamples + 1))


def smallest_margin(comparison: Comparison) -> float:
    """The smallest non-inferiority margin that the sample can prove: the upper end, at least 0."""
    return max(comparison.high, 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-Bonferroni adjusted p values, in the given order (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _errors(counts: Sequence[Counts]) -> list[float]:
    return [count.errors for count in counts]


def _words(systems: Sequence[Sequence[Counts]]) -> list[float]:
    """Reference words of each utterance, which must be the same for all systems."""
    first = systems[0]
    for system in systems[1:]:
        if any(x.words != y.words for x, y in zip(first, system, strict=False)):
            raise ValueError("the systems were scored against different references")
    return [count.words for count in first]


def _block_sums(
    numerators: Sequence[Sequence[float]],
    denominators: Sequence[float],
    blocks: Sequence[str] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(numerators [systems, blocks], denominators [blocks]) summed within each block.

    Counts stay exact: whole numbers below 2^53 are float64 values.
    """
    labels = list(blocks) if blocks is not None else [str(i) for i in range(len(denominators))]
    if any(len(one) != len(labels) for one in [*numerators, denominators]) or not labels:
        sizes = ", ".join(str(len(one)) for one in numerators)
        raise ValueError(
            f"{sizes} utterances and {len(labels)} block labels: the numbers must be equal, not 0"
        )
    _, index = np.unique(labels, return_inverse=True)
    number = int(index.max()) + 1
    sums = np.array([np.bincount(index, one, number) for one in numerators])
    below = np.bincount(index, np.asarray(denominators, np.float64), number)
    if not below.all():
        raise ValueError(
            "a block has no reference words; leave its utterances out and count them separately"
        )
    return sums, below.astype(np.float64)


def _draws(number: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Block indices [chunk, blocks], in chunks: all of them take 0.8 GB for 10,000 blocks."""
    rng = np.random.default_rng(seed)
    for first in range(0, resamples, CHUNK):
        yield rng.integers(number, size=(min(CHUNK, resamples - first), number))
