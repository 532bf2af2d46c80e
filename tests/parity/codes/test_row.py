"""Codes of int8-row through its nodes: another rounding, or another range, is seen."""

import numpy as np
import torch

from whisper_qat.infer.kernels import row_check
from whisper_qat.parity.codes import row
from whisper_qat.quant import row_activation
from whisper_qat.quant.channel_scheme import RowScheme

X = torch.randn(4, 72, generator=torch.Generator().manual_seed(0))


def test_another_rounding_is_seen(monkeypatch):
    def other(x, scale):
        return torch.floor(x / scale).add(128).to(torch.uint8)

    monkeypatch.setattr(row_activation, "quantize", other)
    assert row.count_wrong(X, RowScheme()) > 0


def test_a_kernel_with_one_range_a_call_is_seen(monkeypatch):
    def one_range(x, weights, *, in_branch=False):
        scale = abs(x).max() / np.float32(127)
        return np.rint(x / scale) * scale

    monkeypatch.setattr(row_check, "run_kernel", one_range)
    assert row.count_moved(X, RowScheme()) > 0
