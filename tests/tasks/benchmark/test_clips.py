"""Clip sets: what is drawn, joined and written, the same each time."""

import json

import numpy as np
import pytest
import soundfile

from whisper_qat.data.clips.clip import Clip
from whisper_qat.errors import InputError
from whisper_qat.tasks.benchmark.clips import (
    PAUSE_S,
    build_sets,
    duration_s,
    fill_runs,
    full_groups,
    join,
    long_group,
    short_groups,
    warm_up_clip,
)

RATE = 16_000


def clip(number, duration_s, speaker="a"):
    return Clip(
        id=f"c{number}", audio="x", text=f"mot {number}", duration_s=duration_s, speaker=speaker
    )


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for i, seconds in enumerate((1.0, 2.0, 7.0, 9.0, 8.0)):
        soundfile.write(
            tmp_path / f"{i}.wav", rng.normal(scale=0.1, size=int(seconds * RATE)), RATE
        )
        lines.append({"id": f"c{i}", "audio": f"{i}.wav", "text": f"mot {i}", "speaker": "a"})
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def build(data, folder, **changes):
    settings = {"short_clips": 2, "full_clips": 1, "long_s": 40.0, "seed": 0} | changes
    return build_sets([str(data)], folder, **settings)


def test_short_clips_are_drawn_by_seed():
    clips = [clip(i, 1.0 + i) for i in range(8)] + [clip(9, 0.2)]
    assert short_groups(clips, 0, 0) == []
    drawn = [group[0].duration_s for group in short_groups(clips, 3, 1)]
    assert len(drawn) == 3
    assert max(drawn) < 6
    assert drawn == [group[0].duration_s for group in short_groups(clips, 3, 1)]


def test_full_clips_have_one_speaker_and_fit_the_window():
    clips = [clip(i, 9.0, "ab"[i % 2]) for i in range(8)]
    groups = full_groups(clips, 9)
    assert [[c.id for c in group] for group in groups] == [["c0", "c2", "c4"], ["c1", "c3", "c5"]]
    assert duration_s(groups[0]) == 28.0
    assert full_groups(clips, 1) == groups[:1]
    assert full_groups([clip(0, 45.0)], 3) == []


def test_the_long_file_repeats_clips():
    ((first, *rest),) = long_group([clip(0, 10.0), clip(1, 10.0)], 50.0)
    assert [c.id for c in (first, *rest)] == ["c0", "c1", "c0", "c1"]
    assert long_group([clip(0, 1.0)], 0) == []


def test_runs_are_as_long_as_they_may():
    runs = list(fill_runs([clip(i, 5.0) for i in range(4)], 10.5))
    assert [len(run) for run in runs] == [2, 2]


def test_join_puts_silence_between():
    one = np.ones(4, np.float32)
    found = join([one, 2 * one])
    assert len(found) == 8 + round(PAUSE_S * RATE)
    assert (found[:4].sum(), found[-4:].sum(), found.sum()) == (4, 8, 12)


def test_sets_are_written_and_alike(data, tmp_path):
    sets = build(data, tmp_path / "out")
    assert [one.name for one in sets] == ["set-short", "set-30s", "set-long"]
    short, full, long = sets
    assert full.clips[0].id == "c0+4"
    assert full.clips[0].text == "mot 0 mot 1 mot 2 mot 3 mot 4"
    assert full.clips[0].duration_s == 27 + 4 * PAUSE_S
    assert long.clips[0].duration_s <= 40.0
    samples = np.load(full.clips[0].path)
    assert samples.dtype == np.float32
    assert len(samples) == full.clips[0].duration_s * RATE
    assert build(data, tmp_path / "out") == sets
    assert warm_up_clip(sets).id == "c0"


def test_nothing_left(data, tmp_path):
    with pytest.raises(InputError, match="nothing is left to measure"):
        build(data, tmp_path / "out", short_clips=0, full_clips=0, long_s=0.0)


def test_no_usable_clip(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"audio": "no.wav", "text": "rien"}\n')
    with pytest.raises(InputError, match=r"--data .*bad\.jsonl: no usable clip among 1"):
        build(tmp_path / "bad.jsonl", tmp_path / "out")
