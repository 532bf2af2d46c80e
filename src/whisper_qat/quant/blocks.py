"""Divides the last axis of a tensor into blocks of equal size, zero-padded at the end."""

import torch
from torch import Tensor
from torch.nn import functional


def split(x: Tensor, block_size: int) -> Tensor:
    """Split [..., K] -> [..., ceil(K / block_size), block_size]; copies only to pad K."""
    padding = -x.shape[-1] % block_size
    if padding:
        x = functional.pad(x, (0, padding))
    return x.reshape(*x.shape[:-1], -1, block_size)


def join(blocks: Tensor, length: int) -> Tensor:
    """Join [..., blocks, block_size] -> [..., length], dropping the padding of `split`."""
    return torch.flatten(blocks, -2)[..., :length]
