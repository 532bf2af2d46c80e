"""Activation codes through the kernels: none differs from torch's, and none moves with its batch.

That other roundings are seen is tested beside each scheme's probe (`tests.parity.codes`).
"""

import pytest
import torch

from whisper_qat.parity.activation_codes import count_moved, count_wrong
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme

BLOCKS = [BlockScheme(), BlockScheme(4, 64)]


@pytest.fixture
def x():
    return torch.randn(4, 72, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scheme", [*BLOCKS, DynamicScheme(), RowScheme()], ids=str)
def test_none_differs(x, scheme):
    assert count_wrong(x, scheme) == 0
    assert count_wrong(torch.zeros(2, 72), scheme) == 0


@pytest.mark.parametrize("scheme", [*BLOCKS, BlockScheme(2), RowScheme()], ids=str)
def test_a_row_alone_has_the_codes_it_has_in_a_batch(x, scheme):
    assert count_moved(x * torch.logspace(-2, 2, 4)[:, None], scheme) == 0
