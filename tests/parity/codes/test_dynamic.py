"""Codes of int8-dynamic through its kernel: another rounding is seen, and no row is promised."""

import torch

from whisper_qat.parity.codes import dynamic
from whisper_qat.quant import dynamic_activation
from whisper_qat.quant.channel_scheme import DynamicScheme

X = torch.randn(4, 72, generator=torch.Generator().manual_seed(0))


def test_another_rounding_is_seen(monkeypatch):
    def other(x, scale, zero_point):
        return torch.floor(x / scale).add(zero_point).clamp(0, 255).to(torch.uint8)

    monkeypatch.setattr(dynamic_activation, "quantize", other)
    assert dynamic.count_wrong(X, DynamicScheme()) > 0


def test_nothing_is_promised_of_a_row_alone():
    assert dynamic.count_moved(X * torch.logspace(-2, 2, 4)[:, None], DynamicScheme()) == 0
