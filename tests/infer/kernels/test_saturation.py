"""Saturation of u8 x s8: seen where sums are cut to int16, and cured in the session's options."""

import numpy as np
import pytest
from onnx import helper

from tests.export import cases
from whisper_qat.infer.kernels import saturation
from whisper_qat.infer.onnx import session
from whisper_qat.model.onnx_files import ENCODER_FILE, SCHEME_KEY


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


def product(scheme=None, operator="MatMulIntegerToFloat"):
    node = helper.make_node(operator, ["x", "w"], ["y"])
    if scheme:
        node.metadata_props.add(key=SCHEME_KEY, value=scheme)
    return helper.make_graph([node], "g", [], [])


def inside(graph):
    """`graph` as a branch of If."""
    choice = helper.make_node(
        "If", ["c"], ["y"], then_branch=graph, else_branch=product("int7-row")
    )
    return helper.make_graph([choice], "outer", [], [])


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (product(), True),
        (product("int8-row"), True),
        (product(None, "DynamicQuantizeMatMul"), True),
        (product(None, "MatMulInteger"), True),
        (product("int7-row"), False),
        (product("int4-row"), False),
        (product(None, "MatMulNBits"), False),
        (inside(product()), True),
        (inside(product("int2-row")), False),
    ],
)
def test_only_weights_beyond_seven_bits_may_saturate(graph, expected):
    assert saturation.may_saturate(graph) is expected


def test_seven_bits_are_the_most_that_fit():
    assert 2 * 255 * saturation.SAFE_S8 < 2**15 <= 2 * 255 * (saturation.SAFE_S8 + 1)


@pytest.mark.parametrize("kernel", [Int16(), Exact()])
@pytest.mark.parametrize("scheme", [cases.ROW, cases.SEVEN, cases.TWO_LEVEL], ids=lambda s: s.name)
def test_the_cure_is_asked_for_only_where_needed(monkeypatch, tmp_path, kernel, scheme):
    folder = cases.write(cases.tiny_whisper(), tmp_path, scheme)
    monkeypatch.setattr(saturation, "_product", lambda: kernel)
    options = session.session_options(1)
    session.open_session(folder / ENCODER_FILE, options)
    needed = isinstance(kernel, Int16) and scheme == cases.ROW
    asked = options.get_session_config_entry(session.EXACT_PRODUCTS)
    assert asked == ("1" if needed else "0")
