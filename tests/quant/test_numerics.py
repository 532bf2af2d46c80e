"""Numerics: every scheme has its verbs, and the activations that its kernel has."""

import pytest
import torch

from whisper_qat.quant import (
    block_activation,
    block_weight,
    channel_weight,
    dynamic_activation,
    row_activation,
)
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.numerics import fake_quantize_activation, of_weight

X = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "scheme", [BlockScheme(), DynamicScheme(), RowScheme()], ids=lambda s: s.name
)
def test_verbs_take_the_same_arguments(scheme):
    verbs = of_weight(scheme)
    scale, zero_point = verbs.choose_params(X[0], scheme)
    assert zero_point == 128 and scale.shape == (5, scheme.num_blocks(64))
    codes = verbs.quantize(X[0], scale, scheme)
    assert codes.dtype == torch.uint8 and scheme.min_code <= codes.min() <= codes.max()
    values = verbs.dequantize(codes, scale, scheme)
    assert (verbs.fake_quantize(X[0], scheme, scale) == values).all()
    parts = X[0].reshape(5, -1, scheme.block_length(64))
    assert (verbs.float_codes(parts, scale, scheme).flatten(1) == codes).all()


def test_each_scheme_has_its_own():
    assert of_weight(BlockScheme()) is block_weight
    assert of_weight(DynamicScheme()) is channel_weight
    block = fake_quantize_activation(X, BlockScheme(), 2)
    assert (block == block_activation.fake_quantize(X, 32)).all()
    dynamic = fake_quantize_activation(X, DynamicScheme(), 2)
    assert (dynamic == dynamic_activation.fake_quantize(X, 2)).all()
    assert of_weight(RowScheme()) is channel_weight
    rows = fake_quantize_activation(X, RowScheme(), 2)
    assert (rows == row_activation.fake_quantize(X)).all()
