"""Loss of a model on the reference text and its divergence from another model, for each token.

Loss is -log p(label); KL is the sum of p * log(p / q), where p is the reference model. Both are in
nats, over the whole vocabulary and without the filters of the decoder, as in training. They show
small changes that do not alter greedy transcripts.

log(sum(exp)) is two lines of numpy here and not scipy's logsumexp: importing scipy.special costs
0.14 s beyond numpy, in a layer that every light command loads.

Shapes: n tokens, V vocabulary.
"""

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Values = NDArray[np.float64]


def losses(logits: Logits, labels: NDArray[np.int64]) -> Values:
    """-log p(label) for each token: logits [n, V], labels [n] -> [n]."""
    _check(logits, labels.shape)
    found = [_log_sum(row) - float(row[label]) for row, label in zip(logits, labels, strict=True)]
    return np.array(found, dtype=np.float64)


def kl_divergences(reference: Logits, other: Logits) -> Values:
    """KL(reference || other) for each token: two arrays [n, V] -> [n]; never negative."""
    if reference.shape != other.shape:
        raise ValueError(f"logits {reference.shape} and {other.shape}: the shapes must be equal")
    # One row at a time, because a row in float64 fits into the cache and an utterance does not.
    return np.array([_kl(p, q) for p, q in zip(reference, other, strict=True)], dtype=np.float64)


def agreements(reference: Logits, other: Logits) -> int:
    """The number of positions at which both models have the same most likely token."""
    return int((reference.argmax(-1) == other.argmax(-1)).sum())


def _kl(reference: Logits, other: Logits) -> float:
    p_log = reference.astype(np.float64)
    p_log -= _log_sum(reference)
    q_log = other.astype(np.float64)
    q_log -= _log_sum(other)
    return max(0.0, float(np.exp(p_log) @ (p_log - q_log)))


def _log_sum(row: Logits) -> float:
    """Logarithm of the sum of exponentials of [V], in float64."""
    top = float(row.max())
    return top + float(np.log(np.exp(row.astype(np.float64) - top).sum()))


def _check(logits: Logits, shape: tuple[int, ...]) -> None:
    if logits.shape[:1] != shape:
        raise ValueError(
            f"logits {logits.shape} for labels {shape}: the numbers of tokens must be equal"
        )
