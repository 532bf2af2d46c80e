"""Normalisers by name: names are checked, and each says what it does."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.metrics.normalizers.registry import NORMALIZERS, get_normalizer


def test_each_is_found_under_its_name_and_described():
    for name, normalizer in NORMALIZERS.items():
        assert get_normalizer(name) is normalizer and normalizer.name == name
        assert normalizer.about


def test_unknown_name():
    with pytest.raises(InputError, match=r"normalizer='crd': expected one of card, fr; did you"):
        get_normalizer("crd")
