"""The rule of the whole-model gate on made-up distances, and the margin where transcripts fork."""

import pytest

from whisper_qat.infer.decode import Decoded
from whisper_qat.parity.logits import Distance
from whisper_qat.parity.whole_model import judge, margin_at_fork


def of(relative, agreement, positions=1000):
    return Distance(relative=relative, agreement=agreement, positions=positions)


@pytest.mark.parametrize(
    ("runtime", "floor", "passed"),
    [
        (of(0.02, 0.99), of(0.02, 0.99), True),
        (of(0.04, 0.99), of(0.02, 0.99), True),
        (of(0.041, 0.99), of(0.02, 0.99), False),
        (of(0.02, 0.986), of(0.02, 0.99), True),
        (of(0.02, 0.984), of(0.02, 0.99), False),
        (of(0.02, 0.95, 499), of(0.02, 0.99, 499), True),
    ],
)
def test_rule(runtime, floor, passed):
    assert judge(runtime, floor)["passed"] is passed
    assert judge(runtime, floor)["enough_positions"] is (runtime.positions >= 500)


def decoded(tokens, margins):
    return Decoded(tokens=tokens, margins=margins, ended=True)


def test_margin_at_the_first_difference():
    a = decoded([1, 2, 3], [0.5, 0.1, 0.7, 0.9])
    assert margin_at_fork(a, decoded([1, 4, 3], [0, 0, 0, 0])) == 0.1
    assert margin_at_fork(a, decoded([1, 2, 3, 4], [0] * 5)) == 0.9
    assert margin_at_fork(a, decoded([1, 2], [0] * 3)) == 0.7
