"""The pilot picks the fastest number of threads; starts are timed from outside."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.measure.fake_systems import open_fake
from whisper_qat.measure.systems.system import Setup
from whisper_qat.measure.worker import Worker
from whisper_qat.runs.journal import repair
from whisper_qat.tasks.benchmark.clips import BenchClip
from whisper_qat.tasks.benchmark.pilot import best_threads, candidates, measure_starts


@pytest.fixture
def clip(tmp_path):
    np.save(tmp_path / "c.npy", np.zeros(100, np.float32))
    return BenchClip(id="c", path=tmp_path / "c.npy", text="un", duration_s=1.0)


def fake(name, threads):
    """Fastest with two threads."""
    options = {"delay_s": 0.01 if threads == 2 else 0.1}
    setup = Setup(folder=Path(), threads=threads, language="fr", max_new_tokens=5, options=options)
    return Worker(open_fake, setup)


@pytest.mark.parametrize(
    ("most", "tried"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 3, 4, 6]), (16, [1, 2, 3, 4, 8, 16])]
)
def test_candidates(most, tried):
    assert candidates(most) == tried


def test_the_fastest_wins_and_is_kept(clip, tmp_path):
    path = tmp_path / "pilot.jsonl"
    found = best_threads(["a"], 3, clip, path, fake)
    assert found["a"]["threads"] == 2
    assert set(found["a"]["median_wall_s"]) == {"1", "2", "3"}
    assert best_threads(["a"], 3, clip, path, pytest.fail) == found


def test_one_thread_needs_no_pilot(clip, tmp_path):
    found = best_threads(["a"], 1, clip, tmp_path / "pilot.jsonl", pytest.fail)
    assert found["a"]["threads"] == 1


def test_starts(clip, tmp_path):
    path = tmp_path / "starts.jsonl"
    openers = {name: partial(fake, name, 2) for name in "ab"}
    measure_starts(openers, 2, clip, path, seed=0)
    lines = repair(path)
    assert [line["row"] for line in lines] == ["a", "b", "b", "a"] or [
        line["row"] for line in lines
    ] == ["b", "a", "a", "b"]
    assert all(line["first_transcript_s"] > line["open_s"] for line in lines)
    assert lines[0]["facts"]["threads"] == "2"
    measure_starts(dict.fromkeys("ab", pytest.fail), 2, clip, path, seed=0)
