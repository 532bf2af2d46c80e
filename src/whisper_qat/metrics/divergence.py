"""Divergence of a model from the reference text and from another model, token by token.

Loss is -log p(label), KL is sum of p * log(p / q) with p the other (reference) model; both in nats,
over the whole vocabulary, without the decoder's filters: what training minimises. They see small
changes that greedy transcripts hide.

log(sum(exp)) is two lines of numpy here and not scipy's logsumexp: importing scipy.special costs
0.14 s beyond numpy, in a layer that every light command loads.

Shapes: n tokens, V vocabulary.
"""

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Values = NDArray[np.float64]


def losses(logits: Logits, labels: NDArray[np.int64]) -> Values:
    """-log p(label) of each token: logits [n, V], labels [n] -> [n]."""
    _check(logits, labels.shape)
    found = [_log_sum(row) - float(row[label]) for row, label in zip(logits, labels, strict=True)]
    return np.array(found, dtype=np.float64)


def kl_divergences(reference: Logits, other: Logits) -> Values:
    """KL(reference || other) of each token: two [n, V] -> [n]; never below 0."""
    if reference.shape != other.shape:
        raise ValueError(f"logits {reference.shape} and {other.shape}: must have one shape")
    # Row by row: a row in float64 stays in the cache, a whole utterance does not.
    return np.array([_kl(p, q) for p, q in zip(reference, other, strict=True)], dtype=np.float64)


def agreements(reference: Logits, other: Logits) -> int:
    """Tokens at which both have the same most likely token."""
    return int((reference.argmax(-1) == other.argmax(-1)).sum())


def _kl(reference: Logits, other: Logits) -> float:
    p_log = reference.astype(np.float64)
    p_log -= _log_sum(reference)
    q_log = other.astype(np.float64)
    q_log -= _log_sum(other)
    return max(0.0, float(np.exp(p_log) @ (p_log - q_log)))


def _log_sum(row: Logits) -> float:
    """log of the sum of exponentials of [V], in float64."""
    top = float(row.max())
    return top + float(np.log(np.exp(row.astype(np.float64) - top).sum()))


def _check(logits: Logits, shape: tuple[int, ...]) -> None:
    if logits.shape[:1] != shape:
        raise ValueError(f"logits {logits.shape} for labels {shape}: must have as many tokens")
