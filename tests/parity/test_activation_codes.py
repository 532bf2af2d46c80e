"""Activation codes through the kernels: none differs, and another rounding in torch is seen."""

import pytest
import torch

from whisper_qat.parity import activation_codes
from whisper_qat.parity.activation_codes import count_moved, count_wrong
from whisper_qat.quant import block_activation, dynamic_activation, row_activation
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


def test_another_rounding_of_blocks_is_seen(x, monkeypatch):
    def other(x, multiplier, block_size):
        padded = torch.nn.functional.pad(x, (0, -x.shape[-1] % block_size))
        product = padded * multiplier.repeat_interleave(block_size, -1)
        return torch.round(1.01 * product).to(torch.int8)

    monkeypatch.setattr(block_activation, "quantize", other)
    assert count_wrong(x, BlockScheme()) > 0


def test_another_rounding_of_dynamic_codes_is_seen(x, monkeypatch):
    def other(x, scale, zero_point):
        return torch.floor(x / scale).add(zero_point).clamp(0, 255).to(torch.uint8)

    monkeypatch.setattr(dynamic_activation, "quantize", other)
    assert count_wrong(x, DynamicScheme()) > 0


def test_another_rounding_of_rows_is_seen(x, monkeypatch):
    def other(x, scale):
        return torch.floor(x / scale).add(128).to(torch.uint8)

    monkeypatch.setattr(row_activation, "quantize", other)
    assert count_wrong(x, RowScheme()) > 0


@pytest.mark.parametrize("scheme", [*BLOCKS, BlockScheme(2), RowScheme()], ids=str)
def test_a_row_alone_has_the_codes_it_has_in_a_batch(x, scheme):
    assert count_moved(x * torch.logspace(-2, 2, 4)[:, None], scheme) == 0


def test_a_kernel_with_one_range_a_call_is_seen(x, monkeypatch):
    class OneRange:
        def run(self, _, feeds):
            rows = feeds["x"]
            scale = abs(rows).max() / 127
            return [(rows / scale).round() * scale * 127]

    monkeypatch.setattr(activation_codes, "_identity", lambda scheme: OneRange())
    assert count_moved(x, BlockScheme()) > 0
