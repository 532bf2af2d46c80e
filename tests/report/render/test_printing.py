"""Printed forms of fractions, numbers and words."""

import pytest

from whisper_qat.report.render import printing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (printing.number(-0.001), "0.00"),
        (printing.number(-1.5, 1), "−1.5"),
        (printing.number(None), "–"),
        (printing.percent(0.1234), "12.34"),
        (printing.percent(None), "–"),
        (printing.points(0.0012), "+0.12"),
        (printing.points(-0.0012), "−0.12"),
        (printing.points(0.00001), "0.00"),
        (printing.percent_interval(0.1, 0.09, 0.115), "10.00 [9.00, 11.50]"),
        (printing.points_interval(0.001, -0.002, 0.004), "+0.10 [−0.20, +0.40]"),
        (printing.p_value(0.0002), "<0.001"),
        (printing.p_value(0.05), "0.050"),
        (printing.megabytes(81_788_020), "81.8"),
        (printing.megabytes(None), "–"),
        (printing.count(71000), "71,000"),
        (printing.count(None), "–"),
        (printing.duration(59), "59 s"),
        (printing.duration(600), "10.0 min"),
        (printing.duration(7200), "2.0 h"),
        (printing.duration(None), "–"),
        (printing.plural(1, "clip"), "1 clip"),
        (printing.plural(1200, "clip"), "1,200 clips"),
        (printing.listing(["a", "b", "c"]), "a, b and c"),
        (printing.listing(["a"]), "a"),
        (printing.listing([]), ""),
    ],
)
def test_prints(text: str, expected: str):
    assert text == expected
