"""Saturation of u8 x s8: seen where sums are cut to int16, and cured in the session's options."""

import numpy as np
import pytest

from whisper_qat.infer.kernels import saturation
from whisper_qat.infer.onnx import session


class Int16:
    """vpmaddubsw: products added in pairs, in int16."""

    def run(self, _, feeds):
        products = feeds["x"][:, :, None].astype(np.int64) * saturation.weights()
        pairs = products.reshape(len(products), -1, 2, saturation.WIDTH).sum(2)
        return (np.clip(pairs, -(2**15), 2**15 - 1).sum(1),)


class Exact:
    def run(self, _, feeds):
        return (feeds["x"].astype(np.int64) @ saturation.weights().astype(np.int64),)


@pytest.fixture(autouse=True)
def ask_again():
    saturation.saturates.cache_clear()
    yield
    saturation.saturates.cache_clear()


@pytest.mark.parametrize(("kernel", "expected"), [(Int16(), True), (Exact(), False)])
def test_cut_sums_are_seen(monkeypatch, kernel, expected):
    monkeypatch.setattr(saturation, "_product", lambda: kernel)
    assert saturation.saturates() is expected


@pytest.mark.parametrize("rows", saturation.ROWS)
def test_this_machine_is_asked_with_both_kernels(rows):
    assert saturation.wrong(saturation._product(), rows) is saturation.saturates()


@pytest.mark.parametrize(("kernel", "expected"), [(Int16(), "1"), (Exact(), "0")])
def test_the_cure_is_asked_for_only_where_needed(monkeypatch, kernel, expected):
    monkeypatch.setattr(saturation, "_product", lambda: kernel)
    options = session.session_options(1)
    assert options.get_session_config_entry(session.EXACT_PRODUCTS) == expected
