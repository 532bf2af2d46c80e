"""Schemes: one spelling, checked values."""

import pytest

from whisper_qat.quant.block_scheme import BITS, BLOCK_SIZES, BLOCK_SIZES_2_BITS, BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.registry import parse_scheme

EXISTING = [(bits, size) for bits in BITS for size in BLOCK_SIZES
            if bits != 2 or size in BLOCK_SIZES_2_BITS]  # fmt: skip


@pytest.mark.parametrize(("bits", "block_size"), EXISTING)
def test_name_round_trips(bits, block_size):
    scheme = BlockScheme(bits=bits, block_size=block_size)
    assert parse_scheme(scheme.name) == scheme


def test_known_values():
    scheme = parse_scheme("block-int4-32")
    assert (scheme.zero_point, scheme.max_code, scheme.num_blocks(200)) == (8, 15, 7)


def test_dynamic_scheme():
    scheme = parse_scheme("int8-dynamic")
    assert scheme == DynamicScheme() and scheme.name == "int8-dynamic"
    assert (scheme.bits, scheme.zero_point, scheme.min_code, scheme.max_code) == (8, 128, 1, 255)
    assert (scheme.num_blocks(200), scheme.block_length(200)) == (1, 200)
    assert scheme != BlockScheme() and len({scheme, DynamicScheme(), BlockScheme()}) == 2


def test_row_scheme_differs_from_dynamic_in_its_activations_alone():
    scheme = parse_scheme("int8-row")
    assert scheme == RowScheme() != DynamicScheme() and scheme.name == "int8-row"
    assert (scheme.bits, scheme.zero_point, scheme.min_code, scheme.max_code) == (8, 128, 1, 255)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown scheme 'int8': expected block-int<bits>"):
        parse_scheme("int8")
    with pytest.raises(ValueError, match="or one of int8-dynamic, int8-row$"):
        parse_scheme("int8-column")
    with pytest.raises(ValueError, match="bits=3: MatMulNBits level 4 is supported for"):
        parse_scheme("block-int3-32")
    with pytest.raises(ValueError, match="block_size=16: with 2 bits one of .*float activations"):
        parse_scheme("block-int2-16")
    with pytest.raises(ValueError, match="block_size=48: must be one of"):
        BlockScheme(block_size=48)
