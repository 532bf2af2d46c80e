"""Schemes: one spelling, checked values."""

import pytest

from whisper_qat.quant.scheme import BlockScheme, parse_scheme


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block_size", [16, 32, 64, 128, 256])
def test_name_round_trips(bits, block_size):
    scheme = BlockScheme(bits=bits, block_size=block_size)
    assert parse_scheme(scheme.name) == scheme


def test_known_values():
    scheme = parse_scheme("block-int4-32")
    assert (scheme.zero_point, scheme.max_code, scheme.num_blocks(200)) == (8, 15, 7)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown scheme 'int8': expected block-int<bits>"):
        parse_scheme("int8")
    with pytest.raises(ValueError, match="bits=3: MatMulNBits level 4 is supported for"):
        parse_scheme("block-int3-32")
    with pytest.raises(ValueError, match="block_size=48: must be one of"):
        BlockScheme(block_size=48)
