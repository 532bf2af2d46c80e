"""Row chunks: the same bits as in one piece, for weights and their gradients."""

import pytest
import torch

from whisper_qat.quant import learned_scale, numerics, row_chunks
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.row_chunks import by_rows


def weight(rows, columns=50):
    made = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    made[0] = 0.0
    made[-1] = 1e30
    return made


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9])
def test_chunks_are_the_whole(monkeypatch, rows):
    monkeypatch.setattr(row_chunks, "CHUNK", 4 * 50)
    seen = []

    def compute(a, b):
        seen.append(len(a))
        return a * b[:, None], b + 1

    x = weight(rows)
    product, more = by_rows(compute, x, x[:, 0])
    assert torch.equal(product, x * x[:, :1]) and torch.equal(more, x[:, 0] + 1)
    assert max(seen) <= 4 and sum(seen) == rows


@pytest.mark.parametrize(
    "name", ["block-int8-32-f16", "block-int4-32", "block-int2-32-f16", "int8-row", "int4-row"]
)
def test_values_and_gradients_do_not_depend_on_the_chunk(monkeypatch, name):
    scheme = parse_scheme(name)
    incoming = torch.randn(11, 50, generator=torch.Generator().manual_seed(1))
    found = []
    for chunk in (50, 150, 10**6):
        monkeypatch.setattr(row_chunks, "CHUNK", chunk)
        x = weight(11)
        verbs = numerics.of_weight(scheme)
        scale = verbs.choose_params(x, scheme)[0]
        by_rule = verbs.fake_quantize(x, scheme)
        given = verbs.fake_quantize(x, scheme, scale * 1.5)
        x.requires_grad_(), scale.requires_grad_()
        learned = learned_scale.fake_quantize(x, scale, scheme)
        learned.backward(incoming)
        found.append([by_rule, given, learned.detach(), x.grad, scale.grad])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
