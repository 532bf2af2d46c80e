"""Significance of a WER difference: paired bootstrap over counts.

The bootstrap resamples blocks (utterances, or whole speakers and recordings) with replacement and
forms the ratio of sums anew each time (Bisani and Ney 2004). The interval is the percentile one;
p is two-sided, from the centred distribution, with the +1 of sacrebleu's `significance.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.metrics.wer import Counts

CHUNK = 500  # resamples at a time: bounds the memory for corpora of many blocks


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A rate with its 95 % interval, as fractions."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """delta = rate(b) - rate(a) as a fraction, its 95 % interval, p, utterances and blocks."""

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
    """Bootstrap interval of one system's rate."""
    (errors,), words = _block_sums([counts], blocks)
    rates = np.concatenate(
        [errors[i].sum(1) / words[i].sum(1) for i in _draws(len(words), resamples, seed)]
    )
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(rate=float(errors.sum() / words.sum()), low=float(low), high=float(high))


def paired_bootstrap(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same utterances, in the same order (ValueError otherwise)."""
    (errors_a, errors_b), words = _block_sums([a, b], blocks)
    difference = errors_b - errors_a
    observed = difference.sum() / words.sum()
    deltas = np.concatenate(
        [difference[i].sum(1) / words[i].sum(1) for i in _draws(len(words), resamples, seed)]
    )
    low, high = np.percentile(deltas, [2.5, 97.5])
    as_far = np.sum(np.abs(deltas - deltas.mean()) >= abs(observed) - 1e-15)
    return Comparison(
        delta=float(observed), low=float(low), high=float(high),
        p=float((as_far + 1) / (resamples + 1)), n=len(a), blocks=len(words),
    )  # fmt: skip


def approximate_randomization(
    a: Sequence[Counts],
    b: Sequence[Counts],
    *,
    blocks: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of the null that both systems are one (Noreen 1989): a cross-check.

    Each block's two results swap sides with probability 1/2; the reference words are the same.
    """
    (errors_a, errors_b), _ = _block_sums([a, b], blocks)
    difference = errors_b - errors_a
    rng = np.random.default_rng(seed)
    as_far = 0
    for first in range(0, resamples, CHUNK):
        signs = rng.choice([-1, 1], (min(CHUNK, resamples - first), len(difference)))
        as_far += int(np.sum(np.abs(signs @ difference) >= abs(difference.sum())))
    return float((as_far + 1) / (resamples + 1))


def smallest_margin(comparison: Comparison) -> float:
    """The smallest non-inferiority margin that this sample can prove: the interval's upper end."""
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


def _block_sums(
    systems: Sequence[Sequence[Counts]], blocks: Sequence[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(errors [systems, blocks], words [blocks]) summed within each block."""
    first = systems[0]
    labels = list(blocks) if blocks is not None else [str(i) for i in range(len(first))]
    if any(len(system) != len(labels) for system in systems) or not labels:
        sizes = ", ".join(str(len(system)) for system in systems)
        raise ValueError(f"{sizes} utterances and {len(labels)} block labels: must be equal, not 0")
    words = np.array([count.words for count in first])
    for system in systems[1:]:
        if any(x.words != y.words for x, y in zip(first, system, strict=True)):
            raise ValueError("the systems were not scored against the same references")
    _, index = np.unique(labels, return_inverse=True)
    number = int(index.max()) + 1
    errors = np.array([[count.errors for count in system] for system in systems])
    sums = np.array([np.bincount(index, row, number) for row in errors]).astype(np.int64)
    block_words = np.bincount(index, words, number).astype(np.int64)
    if not block_words.all():
        raise ValueError("a block has no reference words: leave such utterances out and count them")
    return sums, block_words


def _draws(number: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Block indices [chunk, blocks] by chunks: all at once are 0.8 GB for 10,000 blocks."""
    rng = np.random.default_rng(seed)
    for first in range(0, resamples, CHUNK):
        yield rng.integers(number, size=(min(CHUNK, resamples - first), number))
