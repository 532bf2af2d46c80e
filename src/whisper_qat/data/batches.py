"""Batches: which clips form which micro-batch of an epoch, as a pure function of seed and epoch.

Nothing here holds state: a resumed run recomputes the epoch's list and goes on at its position.
Clips of similar length share a batch, so a dynamic audio context pads little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BUCKET_BATCHES = 16  # batches sorted by length together; larger means less padding, less mixing


@dataclass(frozen=True)
class MicroBatch:
    """Indices of clips; `counts` is False for a filler that only keeps processes in step."""

    indices: tuple[int, ...]
    counts: bool = True


def epoch_batches(
    durations_s: Sequence[float], batch_size: int, *, seed: int, epoch: int
) -> list[tuple[int, ...]]:
    """Every clip once, in shuffled batches of similar duration."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(durations_s))
    span = batch_size * BUCKET_BATCHES
    batches = []
    for first in range(0, len(order), span):
        bucket = sorted(order[first : first + span].tolist(), key=lambda i: (durations_s[i], i))
        batches += [tuple(bucket[i : i + batch_size]) for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def num_steps(num_batches: int, accumulation: int, num_processes: int) -> int:
    """Optimizer steps of an epoch; the last may have fewer micro-batches."""
    return -(-num_batches // (accumulation * num_processes))


def step_batches(
    batches: Sequence[tuple[int, ...]], accumulation: int, num_processes: int, rank: int
) -> list[list[MicroBatch]]:
    """The micro-batches of process `rank`, step by step.

    Step s of W processes and accumulation A covers the same clips as one process with A * W. Where
    the last step does not divide, a process repeats its step's first batch without counting it.
    """
    per_step = accumulation * num_processes
    steps = []
    for first in range(0, len(batches), per_step):
        whole = batches[first : first + per_step]
        mine = [MicroBatch(indices) for indices in whole[rank::num_processes]]
        missing = -(-len(whole) // num_processes) - len(mine)
        steps.append(mine + [MicroBatch(whole[0], counts=False)] * missing)
    return steps
