"""The micro-batches of an epoch: which clips form each, as a pure function of seed and epoch.

Nothing here holds state: a resumed run recomputes the epoch's list and continues at its position.
Clips of similar length share a batch, so a dynamic audio context pads little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BUCKET_BATCHES = 16  # batches sorted by length together; larger means less padding, less mixing


@dataclass(frozen=True)
class MicroBatch:
    """The indices of a micro-batch's clips.

    `counts` is False for a filler without loss, which only keeps the processes in step.
    """

    indices: tuple[int, ...]
    counts: bool = True


def epoch_batches(
    durations_s: Sequence[float], batch_size: int, *, seed: int, epoch: int
) -> list[tuple[int, ...]]:
    """Divide all clips, each used once, into shuffled batches of similar duration."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(durations_s))
    span = batch_size * BUCKET_BATCHES
    batches = []
    for first in range(0, len(order), span):
        bucket = sorted(order[first : first + span].tolist(), key=lambda i: (durations_s[i], i))
        batches += [tuple(bucket[i : i + batch_size]) for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def num_steps(num_batches: int, accumulation: int, num_processes: int) -> int:
    """Number of optimizer steps of an epoch; the last may have fewer micro-batches."""
    return -(-num_batches // (accumulation * num_processes))


def step_batches(
    batches: Sequence[tuple[int, ...]], accumulation: int, num_processes: int, rank: int
) -> list[list[MicroBatch]]:
    """Return the micro-batches of process `rank`, one list per optimizer step.

    Step s of W processes with accumulation A covers the same clips as step s of one process with
    accumulation A * W. Where the last step does not divide evenly, a process repeats the step's
    first batch without counting it.
    """
    per_step = accumulation * num_processes
    steps = []
    for first in range(0, len(batches), per_step):
        whole = batches[first : first + per_step]
        mine = [MicroBatch(indices) for indices in whole[rank::num_processes]]
        missing = -(-len(whole) // num_processes) - len(mine)
        steps.append(mine + [MicroBatch(whole[0], counts=False)] * missing)
    return steps
