"""Times and bytes of plans: sums by hand from an invented clock, bytes as files hold them."""

import pytest

from tests.export import cases
from whisper_qat.measure.plan_time import CLIPS, FEW_REPEATS, Products
from whisper_qat.model.plan.plan import Rule, default_rules

FLOAT = [Rule(pattern=".*", scheme="float", why="")]
ROWS = [Rule(pattern=r"model\.encoder\..*layers.*", scheme="int8-row", why=""), *FLOAT]
LONG, SHORT = CLIPS


class Clock:
    """A product of many rows takes 5 ms in float and 2 ms quantized, one of a row 1 ms."""

    def __init__(self):
        self.asked = []

    def __call__(self, shape, schemes, threads, repeats):
        self.asked.append((shape, [None if s is None else s.name for s in schemes], repeats))
        many = shape.rows > 1
        return [(5.0 if many else 1.0) if s is None else (2.0 if many else 1.0) for s in schemes]


@pytest.fixture
def measured():
    clock, seen = Clock(), []
    products = Products(cases.tiny_config().to_dict(), 1, clock)
    plans = {"float32": FLOAT, "rows": ROWS, "int4": default_rules("int4", 32)}
    found = products.measure(plans, lambda done, total: seen.append((done, total)))
    return {one.name: one for one in found}, clock, seen, products


def test_milliseconds_are_products_once_a_clip_and_once_a_token(measured):
    found, *_ = measured
    once, cross, per_token = 2 * 6, 2 * 2, 2 * 8 + 1  # two layers a side, and the head
    for clip in CLIPS:
        assert found["float32"].milliseconds[clip.name] == 5 * (once + cross) + (
            clip.tokens * per_token
        )
        assert found["rows"].milliseconds[clip.name] == 2 * once + 5 * cross + (
            clip.tokens * per_token
        )


def test_a_shape_is_timed_once_with_every_scheme_that_it_gets(measured):
    _, clock, seen, _ = measured
    shapes = [shape for shape, _, _ in clock.asked]
    assert len(shapes) == len(set(shapes)) and {s.rows for s in shapes} == {
        LONG.positions, SHORT.positions, 1,
    }  # fmt: skip
    square = next(names for s, names, _ in clock.asked if (s.rows, s.in_features) == (1500, 64))
    assert set(square) == {None, "int8-row", "block-int4-32-f16"}
    assert seen[0] == (0, len(shapes)) and seen[-1] == (len(shapes), len(shapes))


def test_large_products_are_repeated_less_often():
    clock = Clock()
    config = cases.tiny_config(1024).to_dict() | {"vocab_size": 97, "encoder_layers": 1}
    Products(config, 1, clock).measure({"float32": FLOAT}, lambda done, total: None)
    repeats = {(s.rows, s.out_features, s.in_features): r for s, _, r in clock.asked}
    assert repeats[1500, 1024, 1024] == FEW_REPEATS < repeats[1, 1024, 1024]


def test_bytes_are_those_of_the_weights(measured):
    found, _, _, products = measured
    assert found["float32"].bytes == products.fp32_bytes
    fewer = sum(3 * n * k - 4 * n for n, k in [(64, 64)] * 8 + [(96, 64)] * 2 + [(64, 96)] * 2)
    assert found["rows"].bytes == products.fp32_bytes - fewer
    assert found["int4"].bytes < 0.5 * products.fp32_bytes


def test_groups_name_their_scheme(measured):
    found, *_ = measured
    expected = {"encoder": "int8-row", "decoder": "float", "table and head": "float"}
    assert found["rows"].schemes == expected
