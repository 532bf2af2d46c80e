"""Distances on known numbers, and stepwise logits against whole ones over a scripted backend."""

import numpy as np
import pytest

from whisper_qat.data.utterances import Material, Utterance
from whisper_qat.parity.logits import Distances, compare, stepped, whole


class Scripted:
    """Logits of a token are a row that names its position and value; state counts positions."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def encode(self, mel):
        return [0]

    def logits(self, tokens, state):
        first = state[0]
        state[0] += tokens.shape[1]
        rows = [[first + i, float(t), 1.0 + self.shift] for i, t in enumerate(tokens[0])]
        return np.array([rows], np.float32)


UTTERANCE = Utterance("a", np.zeros((1, 2, 4), np.float32), np.array([[5, 6, 7, 8]]))


def test_rows_start_at_the_last_prompt_token():
    expected = [[1, 6, 1], [2, 7, 1], [3, 8, 1]]
    assert whole(Scripted(), UTTERANCE, 2).tolist() == expected
    assert stepped(Scripted(), UTTERANCE, 2).tolist() == expected


def test_known_distance():
    sums = Distances()
    sums.add(np.float32([[3, 0], [0, 1]]), np.float32([[3, 4], [0, 1]]))
    sums.add(np.float32([[2, 0]]), np.float32([[2, 0]]))
    found = sums.distance()
    assert found.relative == pytest.approx((16 / 30) ** 0.5)
    assert (found.agreement, found.positions) == (2 / 3, 3)


def test_compare_sees_a_shift():
    material = Material("noise", [UTTERANCE], 2)
    assert compare(Scripted(), Scripted(), material).relative == 0
    assert compare(Scripted(), Scripted(shift=0.5), material).relative > 0
    assert material.positions == 3
