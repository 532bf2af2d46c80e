"""The runtimes of the benchmark: rows have names of their own, forms one meaning each."""

import pytest

from whisper_qat.measure.systems.registry import RUNTIMES, find_form


def test_a_form_is_the_same_wherever_its_name_stands():
    for runtime in RUNTIMES:
        for variant in runtime.variants:
            assert find_form(variant.form.name) == variant.form


def test_names_are_unique():
    names = [variant.name for runtime in RUNTIMES for variant in runtime.variants]
    assert len(set(names)) == len(names)
    assert len({runtime.name for runtime in RUNTIMES}) == len(RUNTIMES)


def test_an_unknown_form_is_none_of_ours():
    with pytest.raises(StopIteration):
        find_form("onnx-int1")
