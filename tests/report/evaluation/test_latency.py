"""RTFx and latency percentiles, computed by hand."""

import pytest

from whisper_qat.report.evaluation.latency import latency, speed
from whisper_qat.report.evaluation.rows import ClipResult


def clip(duration_s: float, wall_s: float | None) -> ClipResult:
    return ClipResult(id="c", reference="a", hypothesis="a", duration_s=duration_s, wall_s=wall_s)


def test_rtfx_is_a_ratio_of_sums():
    measured = speed([clip(10.0, 1.0), clip(20.0, 4.0)])
    assert measured is not None
    assert (measured["audio_s"], measured["wall_s"], measured["rtfx"]) == (30.0, 5.0, 6.0)


def test_percentiles_leave_short_clips_out():
    found = latency([clip(4.9, 100.0), *(clip(5.0, float(i)) for i in range(101))])
    assert found is not None
    assert (found.clips, found.p50_s, found.p90_s) == (101, 50.0, 90.0)
    assert found.p99_s == pytest.approx(99.0)


def test_untimed_clips_count_on_neither_side():
    measured = speed([clip(10.0, 1.0), clip(20.0, None)])
    assert measured is not None
    assert (measured["clips"], measured["rtfx"]) == (1, 10.0)


def test_nothing_timed():
    assert speed([clip(10.0, None)]) is None
    assert speed([]) is None
    assert latency([clip(2.0, 1.0)]) is None
