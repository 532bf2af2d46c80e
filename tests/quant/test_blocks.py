"""Blocks: split pads with zeros, join takes the padding off again."""

import torch

from whisper_qat.quant import blocks


def test_ragged_length_is_padded_with_zeros():
    x = torch.arange(1.0, 8.0).reshape(1, 7)
    parts = blocks.split(x, 4)
    assert parts.tolist() == [[[1, 2, 3, 4], [5, 6, 7, 0]]]
    assert (blocks.join(parts, 7) == x).all()


def test_whole_blocks_are_a_view():
    x = torch.zeros(2, 8)
    assert blocks.split(x, 4).data_ptr() == x.data_ptr()
