"""The rule of the whole-model gate on made-up distances."""

import pytest

from whisper_qat.parity.logits import Distance
from whisper_qat.parity.whole_model import judge


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
        (of(0.02, 0.99, 499), of(1e-7, 1.00, 499), True),
        (of(0.021, 0.99, 499), of(1e-7, 1.00, 499), False),
        (of(0.02, 0.99, 500), of(1e-7, 0.99, 500), False),
    ],
)
def test_rule(runtime, floor, passed):
    assert judge(runtime, floor)["passed"] is passed
    assert judge(runtime, floor)["enough_positions"] is (runtime.positions >= 500)
