"""Batches: every clip once an epoch, by length, the same for any number of processes."""

import pytest

from whisper_qat.data.batches import MicroBatch, epoch_batches, num_steps, step_batches

DURATIONS_S = [1.0 + (7 * i % 50) / 10 for i in range(50)]


def test_every_clip_comes_once():
    batches = epoch_batches(DURATIONS_S, 4, seed=0, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(50))
    assert {len(batch) for batch in batches} <= {4, 2}


def test_seed_and_epoch_decide_the_order():
    def of(seed, epoch):
        return epoch_batches(DURATIONS_S, 4, seed=seed, epoch=epoch)

    assert of(0, 0) == of(0, 0)
    assert of(0, 0) != of(0, 1) and of(0, 0) != of(1, 0)


def test_a_batch_holds_clips_of_similar_length():
    batches = epoch_batches(DURATIONS_S, 4, seed=0, epoch=0)
    spread = [max(DURATIONS_S[i] for i in b) - min(DURATIONS_S[i] for i in b) for b in batches]
    assert sum(spread) / len(spread) < 0.6  # drawn at random it would be about 3


@pytest.mark.parametrize("number", [12, 13, 16, 7])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_cover_what_one_with_more_accumulation_covers(number, processes):
    batches = [(i,) for i in range(number)]
    one = step_batches(batches, 2 * processes, 1, 0)
    each = [step_batches(batches, 2, processes, rank) for rank in range(processes)]
    assert {len(steps) for steps in each} == {len(one)} == {num_steps(number, 2, processes)}
    for step, whole in enumerate(one):
        lengths = {len(steps[step]) for steps in each}
        counted = [m.indices for steps in each for m in steps[step] if m.counts]
        assert len(lengths) == 1
        assert sorted(counted) == sorted(m.indices for m in whole)


def test_a_filler_keeps_processes_in_step():
    batches = [(0,), (1,), (2,)]
    assert step_batches(batches, 2, 2, 0) == [[MicroBatch((0,)), MicroBatch((2,))]]
    assert step_batches(batches, 2, 2, 1) == [[MicroBatch((1,)), MicroBatch((0,), counts=False)]]
