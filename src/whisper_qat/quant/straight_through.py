"""The straight-through estimator (Bengio et al. 2013): rounding forward, identity backward.

`x + (rounded(x) - x).detach()` would not do: the sum rounds again, and the result leaves the grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def straight_through(x: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `compute(x)`, shaped like `x`; its gradient is passed to `x` unchanged."""
    return _StraightThrough.apply(x, compute)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: object, x: Tensor, compute: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return compute(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient, None
