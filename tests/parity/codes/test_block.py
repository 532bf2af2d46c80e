"""Codes of block schemes through MatMulNBits: another rounding, or another range, is seen."""

import torch

from whisper_qat.parity.codes import block
from whisper_qat.quant import block_activation
from whisper_qat.quant.block_scheme import BlockScheme

X = torch.randn(4, 72, generator=torch.Generator().manual_seed(0))


def test_another_rounding_is_seen(monkeypatch):
    def other(x, multiplier, block_size):
        padded = torch.nn.functional.pad(x, (0, -x.shape[-1] % block_size))
        product = padded * multiplier.repeat_interleave(block_size, -1)
        return torch.round(1.01 * product).to(torch.int8)

    monkeypatch.setattr(block_activation, "quantize", other)
    assert block.count_wrong(X, BlockScheme()) > 0


def test_a_kernel_with_one_range_a_call_is_seen(monkeypatch):
    class OneRange:
        def run(self, _, feeds):
            rows = feeds["x"]
            scale = abs(rows).max() / 127
            return [(rows / scale).round() * scale * 127]

    monkeypatch.setattr(block, "_identity", lambda scheme: OneRange())
    assert block.count_moved(X, BlockScheme()) > 0
