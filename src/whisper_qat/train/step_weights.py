"""Quantize every weight only once for all micro-batches of an optimizer step.

Weights and scales do not change within a step, so neither does the grid. The micro-batches
accumulate their gradients on the quantized values; one backward pass carries the sum through the
rounding to weights and learned scales. The gradient is the same: rounding's backward is linear in
the gradient that comes in.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from whisper_qat.model.fake_quant.layers import fake_quantized


@contextmanager
def quantized_for_step(model: nn.Module) -> Iterator[None]:
    """Context for a step's forward and backward passes; gradients are complete after the block.

    For a single process only: with several, gradients are exchanged during the last backward
    pass, before the weights have theirs.
    """
    layers = list(fake_quantized(model).values())
    shared: dict[int, tuple[Tensor, Tensor]] = {}
    for layer in layers:
        key = id(layer.weight)
        if key not in shared:
            on_grid = layer.quantized_weight()
            shared[key] = on_grid, on_grid.detach().requires_grad_()
        layer.values = shared[key][1]
    try:
        yield
    finally:
        for layer in layers:
            layer.values = None
    used = [(on_grid, leaf.grad) for on_grid, leaf in shared.values() if leaf.grad is not None]
    torch.autograd.backward([on_grid for on_grid, _ in used], [grad for _, grad in used])
