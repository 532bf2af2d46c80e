"""Channel schemes: int8-dynamic, and rows of eight and of seven bits."""

import pytest
import torch

from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme

BOTH = pytest.mark.parametrize(
    ("scheme", "name", "largest"),
    [(DynamicScheme(), "int8-dynamic", 127), (RowScheme(), "int8-row", 127),
     (RowScheme(7), "int7-row", 64)],
)  # fmt: skip


@BOTH
def test_known_values(scheme, name, largest):
    assert scheme.name == name and type(scheme).parse(name) == scheme
    assert (scheme.bits, scheme.zero_point, scheme.largest_int8) == (8, 128, largest)
    assert (scheme.min_code, scheme.max_code) == (128 - largest, 128 + largest)
    assert (scheme.num_blocks(200), scheme.block_length(200), scheme.block_size) == (1, 200, None)
    assert scheme.scale_dtype == "float32" and scheme.has_lookup == (name != "int8-dynamic")


@BOTH
def test_one_format_has_no_other_scales_and_bits(scheme, name, largest):
    scale = torch.tensor([[0.1]])
    assert scheme.storable(scale) is scale and scheme.with_bits(4) is None
    assert type(scheme).parse("int8-column") is None


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match=r"weight_bits=6: must be one of \(8, 7\)"):
        RowScheme(6)


def test_only_one_shares_a_range_among_rows():
    assert DynamicScheme().codes_depend_on_call and not RowScheme().codes_depend_on_call
