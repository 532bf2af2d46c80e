"""Blocks: the view of a matrix's last axis as blocks of equal size, zero-padded at the end."""

import torch
from torch import Tensor
from torch.nn import functional


def split(x: Tensor, block_size: int) -> Tensor:
    """[..., K] -> [..., ceil(K / block_size), block_size]; a copy only when K must be padded."""
    padding = -x.shape[-1] % block_size
    if padding:
        x = functional.pad(x, (0, padding))
    return x.reshape(*x.shape[:-1], -1, block_size)


def join(blocks: Tensor, length: int) -> Tensor:
    """[..., blocks, block_size] -> [..., length]; drops what `split` padded."""
    return torch.flatten(blocks, -2)[..., :length]
