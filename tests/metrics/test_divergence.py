"""Loss and KL compared with values worked out by hand and with scipy."""

import math

import numpy as np
import pytest
from scipy import special

from whisper_qat.metrics.divergence import agreements, kl_divergences, losses


def logits(*probabilities):
    return np.log(np.array(probabilities, dtype=np.float64)).astype(np.float32)


def test_loss_is_minus_log_p_of_the_label():
    found = losses(logits([0.5, 0.25, 0.25], [0.1, 0.1, 0.8]), np.array([1, 2]))
    assert found == pytest.approx([math.log(4), -math.log(0.8)], abs=1e-6)


def test_loss_does_not_change_with_a_constant():
    row = np.array([[1000.0, 1001.0]], dtype=np.float32)
    assert losses(row, np.array([0])) == pytest.approx([math.log1p(math.e)], abs=1e-12)


def test_kl_of_two_coins():
    """KL((1/2, 1/2) || (1/4, 3/4)) = log(2) - log(3)/2; the other way 3/4 log(3) - log(2)."""
    fair, biased = logits([0.5, 0.5]), logits([0.25, 0.75])
    assert kl_divergences(fair, biased)[0] == pytest.approx(math.log(2) - math.log(3) / 2, abs=1e-6)
    assert kl_divergences(biased, fair)[0] == pytest.approx(
        0.75 * math.log(3) - math.log(2), abs=1e-6
    )


def test_kl_to_itself_is_zero_and_never_below():
    rng = np.random.default_rng(0)
    one = (10 * rng.normal(size=(5, 1000))).astype(np.float32)
    assert (kl_divergences(one, one) == 0).all()
    near = one + rng.normal(scale=1e-7, size=one.shape).astype(np.float32)
    assert (kl_divergences(one, near) >= 0).all()


def test_against_scipy():
    rng = np.random.default_rng(1)
    a, b = (5 * rng.normal(size=(2, 7, 500))).astype(np.float32)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    p = special.softmax(wide_a, -1)
    expected = special.rel_entr(p, special.softmax(wide_b, -1)).sum(-1)
    assert kl_divergences(a, b) == pytest.approx(expected, rel=1e-10)
    labels = rng.integers(500, size=7)
    expected = -special.log_softmax(wide_a, -1)[np.arange(7), labels]
    assert losses(a, labels) == pytest.approx(expected, rel=1e-12)


def test_agreement_counts_equal_top_tokens():
    assert agreements(logits([0.5, 0.3, 0.2], [0.1, 0.8, 0.1]), logits([0.9, 0.05, 0.05],
                      [0.1, 0.2, 0.7])) == 1  # fmt: skip


def test_shapes_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"logits \(1, 2\) for labels \(2,\): the numbers of tokens must"
    ):
        losses(logits([0.5, 0.5]), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"logits \(1, 2\) and \(1, 3\): the shapes must be equal"):
        kl_divergences(logits([0.5, 0.5]), logits([0.5, 0.3, 0.2]))
