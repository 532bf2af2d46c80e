"""Rounds: who is next, what is kept, and what an interrupted run measures when it goes on."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.measure.fake_systems import open_fake
from whisper_qat.errors import GateError
from whisper_qat.measure.systems.system import Setup
from whisper_qat.measure.worker import Worker
from whisper_qat.runs.journal import repair
from whisper_qat.tasks.benchmark.clips import LONG, SHORT, BenchClip, ClipSet
from whisper_qat.tasks.benchmark.rounds import Schedule, measure_set, order, turns


@pytest.fixture
def clips(tmp_path):
    found = []
    for i in range(3):
        path = tmp_path / f"{i}.npy"
        np.save(path, np.zeros(1000 * (i + 1), np.float32))
        found.append(BenchClip(id=f"c{i}", path=path, text="un", duration_s=(i + 1) / 16))
    return ClipSet(name="set", kind=SHORT, clips=found)


def schedule(**changes):
    settings = {
        "rounds": 2,
        "long_rounds": 3,
        "turn_clips": 2,
        "fixed_tokens": 5,
        "seed": 0,
        "keep_alive": True,
    }
    return Schedule(**settings | changes)


def fake(**options):
    setup = Setup(folder=Path(), threads=1, language="fr", max_new_tokens=5, options=options)
    return Worker(open_fake, setup)


def measure(clips, openers, path, **changes):
    said = []
    measure_set(clips, openers, schedule(**changes), path, clips.clips[0], said.append)
    return repair(path), said


def test_turns_are_blocks_of_clips_then_fixed_lengths(clips):
    found = [[(t.clip.id, t.tokens) for t in block] for block in turns(clips, schedule(rounds=1))]
    assert found == [[("c0", None), ("c1", None)], [("c2", None)], [("c2", 1), ("c2", 5)]]
    long = ClipSet(name="long", kind=LONG, clips=clips.clips[:1])
    assert len(list(turns(long, schedule(rounds=1)))) == 3


def test_order_is_rotated():
    names = ["a", "b", "c", "d"]
    first = order(names, 0, 7)
    assert order(names, 1, 7) == first[1:] + first[:1]
    assert {order(names, turn, 7)[0] for turn in range(4)} == set(names)
    assert order(names[::-1], 0, 7) == first


@pytest.mark.parametrize("keep_alive", [True, False])
def test_every_row_answers_everything_once(clips, tmp_path, keep_alive):
    openers = {"a": fake, "b": partial(fake, delay_s=0.01)}
    lines, said = measure(clips, openers, tmp_path / "j.jsonl", keep_alive=keep_alive)
    assert len(lines) == 2 * 2 * (3 + 2)
    assert len({line["id"] for line in lines}) == len(lines)
    assert {line["text"] for line in lines if line["clip"] == "c1"} == {"2000 samples"}
    assert {line["tokens"] for line in lines if line["what"] == "tokens-5"} == {5}
    assert said[-1].startswith("set: round 2 of 2")


def test_a_rerun_measures_what_is_missing(clips, tmp_path):
    path = tmp_path / "j.jsonl"
    lines, _ = measure(clips, {"a": fake}, path, rounds=1)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    opened = []

    def open_row():
        opened.append(1)
        return fake()

    again, _ = measure(clips, {"a": open_row}, path, rounds=1)
    assert [line["id"] for line in again] == [line["id"] for line in lines]
    measure(clips, {"a": open_row}, path, rounds=1)
    assert len(opened) == 1


def test_a_dead_process_names_its_row(clips, tmp_path):
    with pytest.raises(GateError, match="row a: its process ended with status -9"):
        measure(clips, {"a": partial(fake, dies=True)}, tmp_path / "j.jsonl")


def test_a_set_that_no_row_hears(clips, tmp_path):
    measure_set(clips, {}, schedule(), tmp_path / "none.jsonl", clips.clips[0], print)
    assert not (tmp_path / "none.jsonl").exists()
