"""Schemes as values: frozen, hashable, one spelling each, and the members that each has."""

from dataclasses import FrozenInstanceError

import pytest

from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import UNQUANTIZED, Scheme
from whisper_qat.quant.two_level_scheme import TwoLevelScheme

SCHEMES = [
    BlockScheme(), BlockScheme(4, 64, "float16"), DynamicScheme(), RowScheme(), RowScheme(7),
    TwoLevelScheme(4), TwoLevelScheme(3),
]  # fmt: skip
MEMBERS = [name for name in vars(Scheme) if not name.startswith("_")]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_every_scheme_is_a_whole_value(scheme):
    assert len(MEMBERS) >= 16 and all(hasattr(scheme, name) for name in MEMBERS)
    assert parse_scheme(scheme.name) == scheme and hash(parse_scheme(scheme.name)) == hash(scheme)
    assert scheme.name not in UNQUANTIZED
    with pytest.raises(FrozenInstanceError):
        scheme.zero_point = 3


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("in_features", [64, 72, 1])
def test_blocks_cover_a_row(scheme, in_features):
    length = scheme.block_length(in_features)
    assert length == (scheme.block_size or in_features)
    assert 0 <= scheme.num_blocks(in_features) * length - in_features < length
    assert scheme.min_code <= scheme.zero_point <= scheme.max_code < 2**scheme.bits


def test_schemes_differ():
    assert len(set(SCHEMES)) == len(SCHEMES) and RowScheme() != DynamicScheme() != BlockScheme()
