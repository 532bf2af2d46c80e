"""Channel schemes: int8-dynamic and int8-row, which differ in their activations alone."""

import pytest
import torch

from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme

BOTH = pytest.mark.parametrize(
    ("scheme", "name"), [(DynamicScheme(), "int8-dynamic"), (RowScheme(), "int8-row")]
)


@BOTH
def test_known_values(scheme, name):
    assert scheme.name == name and type(scheme).parse(name) == scheme
    assert (scheme.bits, scheme.zero_point, scheme.min_code, scheme.max_code) == (8, 128, 1, 255)
    assert (scheme.num_blocks(200), scheme.block_length(200), scheme.block_size) == (1, 200, None)
    assert scheme.scale_dtype == "float32" and not scheme.has_lookup


@BOTH
def test_one_format_has_no_other_scales_and_bits(scheme, name):
    scale = torch.tensor([[0.1]])
    assert scheme.storable(scale) is scale and scheme.with_bits(4) is None
    assert type(scheme).parse("int8-column") is None


def test_only_one_shares_a_range_among_rows():
    assert DynamicScheme().codes_depend_on_call and not RowScheme().codes_depend_on_call
