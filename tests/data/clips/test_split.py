import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.split import (
    divide,
    group_clips,
    hold_out,
    keep_apart,
    sample_clips,
    split_clips,
    text_key,
)
from whisper_qat.errors import InputError

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
CLIPS = st.lists(
    st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 8))), max_size=60
)


def build(pairs):
    return [
        Clip(id=f"c{i}", audio="x", text=f"t{text}", speaker=None if who is None else f"s{who}")
        for i, (text, who) in enumerate(pairs)
    ]


def shared(splits):
    """Texts and speakers that two splits have in common."""
    found = set()
    for a in splits:
        for b in splits:
            if a < b:
                found |= {text_key(c.text) for c in splits[a]} & {
                    text_key(c.text) for c in splits[b]
                }
                found |= {c.speaker for c in splits[a]} & {c.speaker for c in splits[b]} - {None}
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Désolé, l'appel !", "desole l’appel"),
        ("Cœur  à cœur.", "coeur a coeur"),
        ("Merci [rire]", "merci"),
        ("NUMÉRO", "numéro"),
    ],
)
def test_texts_that_are_the_same(one, other):
    assert text_key(one) == text_key(other)


def test_texts_that_differ():
    assert len({text_key(t) for t in ("appuyez sur 1", "appuyez sur 2", "appuyez sur")}) == 3


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.integers(0, 5))
def test_splits_share_nothing_and_lose_nothing(pairs, seed):
    clips = build(pairs)
    splits = split_clips(clips, FRACTIONS, seed)
    if len({c.speaker for c in clips if c.speaker}) > 1:
        assert not shared(splits)
    else:
        assert not {x for x in shared(splits) if not str(x).startswith("s")}
    assert sorted(c.id for part in splits.values() for c in part) == sorted(c.id for c in clips)


def test_fractions_are_met_and_order_of_input_does_not_matter():
    clips = build([(i % 400, None) for i in range(500)])
    splits = split_clips(clips, FRACTIONS, 1)
    assert [len(splits[name]) for name in FRACTIONS] == pytest.approx([350, 50, 100], abs=3)
    mixed = random.Random(0).sample(clips, len(clips))
    again = split_clips(mixed, FRACTIONS, 1)
    assert {n: {c.id for c in p} for n, p in splits.items()} == {
        n: {c.id for c in p} for n, p in again.items()
    }
    assert split_clips(clips, FRACTIONS, 2) != splits


def test_large_speaker_goes_to_train_and_no_part_stays_empty():
    clips = build([(i, 0) for i in range(20)] + [(100 + i, 1 + i % 2) for i in range(10)])
    splits = split_clips(clips, FRACTIONS, 0)
    assert {c.speaker for c in splits["train"]} == {"s0"}
    assert all(splits.values())


def test_one_speaker_does_not_link():
    assert len(group_clips(build([(i, 0) for i in range(5)]))) == 5


def test_hold_out_takes_whole_groups():
    clips = build([(i // 2, None) for i in range(100)])
    rest, held = hold_out(clips, 0.05, seed=3)
    assert len(held) == 4 and len(rest) == 96  # 5 is odd, and the texts come in pairs
    assert not {c.text for c in rest} & {c.text for c in held}
    assert hold_out(clips, 0.05, seed=3) == (rest, held)


def test_hold_out_takes_at_least_one_group_and_can_leave_nothing():
    rest, held = hold_out(build([(0, None), (1, None)]))
    assert len(rest) == len(held) == 1
    rest, held = hold_out(build([(0, None), (0, None)]))
    assert not rest and len(held) == 2


def test_keep_apart_leaves_test_whole():
    splits = {
        "train": build([(1, 1), (2, 2), (3, 3)]),
        "validation": build([(2, 5), (4, 6)]),
        "test": build([(1, 9), (8, 6)]),
    }
    kept, leaks = keep_apart(splits)
    assert {name: len(clips) for name, clips in kept.items()} == {
        "train": 1,
        "validation": 1,
        "test": 2,
    }
    assert not shared(kept)
    assert sorted(leak.reason for leak in leaks) == [
        "speaker is also in test",
        "text is also in test",
        "text is also in validation",
    ]


def test_divide_keeps_own_splits_and_holds_out_the_missing():
    splits = {"train": build([(i, None) for i in range(80)]), "test": build([(99, None)])}
    parts = divide(splits, FRACTIONS, 0)
    assert parts["test"] == splits["test"]
    assert len(parts["validation"]) == 10 and len(parts["train"]) == 70


def test_divide_says_when_there_is_too_little():
    with pytest.raises(InputError, match=r"nothing left for .*: 2 groups of clips"):
        divide({"all": build([(0, None), (1, None)])}, FRACTIONS, 0)
    parts = divide({"all": build([(0, None), (1, None)])}, {"train": 0.5, "test": 0.5}, 0)
    assert list(parts) == ["train", "test"]


def test_sample_is_seeded_and_keeps_order():
    clips = build([(i, None) for i in range(100)])
    drawn = sample_clips(clips, 10, 4)
    assert len(drawn) == 10 and drawn == sample_clips(clips, 10, 4)
    assert drawn != sample_clips(clips, 10, 5)
    assert [int(c.id[1:]) for c in drawn] == sorted(int(c.id[1:]) for c in drawn)
    assert sample_clips(clips, None, 4) == sample_clips(clips, 500, 4) == clips
