"""Learning-rate schedule: linear warm-up, then linear decay to 0; depends on the step alone."""

import math


def warmup_steps(total_steps: int, warmup_ratio: float) -> int:
    return math.ceil(total_steps * warmup_ratio)


def rate_factor(step: int, *, total_steps: int, warmup: int) -> float:
    """Factor on the peak learning rate at step `step` (0 is the first); in (0, 1]."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (total_steps - step) / (total_steps - warmup)
