"""Timing of products: nodes of the exporter, and one time for each scheme."""

import pytest

from whisper_qat.measure import matmul_time
from whisper_qat.measure.matmul_time import ProductShape, milliseconds
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme


def test_every_scheme_has_a_time():
    schemes = [None, BlockScheme(4, 32, "float16"), DynamicScheme()]
    times = milliseconds(ProductShape(8, 64, 96), schemes, 1)
    assert len(times) == 3 and all(0 < t < 1000 for t in times)


def test_the_median_of_the_repeats_without_warm_up(monkeypatch):
    clock = iter([x for i in range(18) for x in (10.0 * i, 10.0 * i + (5 if i < 3 else i))])
    monkeypatch.setattr(matmul_time.time, "perf_counter", lambda: next(clock))
    assert milliseconds(ProductShape(1, 32, 32), [None], 1) == [pytest.approx(1000 * 10)]
