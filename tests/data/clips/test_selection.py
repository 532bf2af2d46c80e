"""Selection: whose clips train, whose are held out, and what is said about it."""

import json

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.data.clips.selection import select
from whisper_qat.data.clips.split import text_key
from whisper_qat.errors import InputError


def choose(train, evaluation=None, **changes):
    settings = {"max_samples": None, "max_eval_samples": None, "seed": 0, "fits": lambda text: True}
    return select(str(train), str(evaluation or train), **(settings | changes))


@pytest.fixture
def speech(tmp_path):
    return save_tiny_speech(tmp_path / "speech")


def ids(clips):
    return [clip.id for clip in clips]


def test_one_folder_gives_its_train_and_validation_splits(speech):
    found = choose(speech)
    assert ids(found.train) == [f"clip-{i}" for i in range(8)]
    assert ids(found.validation) == ["clip-8", "clip-9", "clip-10"]
    assert all(clip.duration_s for clip in found.train) and not found.rejected


def test_a_single_split_holds_out_by_text_and_says_so(speech):
    found = choose(speech / "train.jsonl")
    assert len(found.train) == 7 and len(found.validation) == 1
    assert any(note.startswith("held out 1 clips") for note in found.notes)
    texts = {text_key(clip.text) for clip in found.train}
    assert text_key(found.validation[0].text) not in texts


def test_a_draw_is_seeded_and_its_hours_are_said(speech):
    a, b = choose(speech, max_samples=4), choose(speech, max_samples=4)
    assert ids(a.train) == ids(b.train) and len(a.train) == 4
    assert ids(choose(speech, max_samples=4, seed=1).train) != ids(a.train)
    assert any("training on 4 clips, 0.00 h (seed 0)" in note for note in a.notes)
    assert a.fingerprint == b.fingerprint != choose(speech).fingerprint


def test_texts_of_the_evaluation_data_leave_the_training_data(speech, tmp_path):
    lines = (speech / "train.jsonl").read_text().splitlines()
    other = speech / "other.jsonl"
    other.write_text(lines[0] + "\n")
    found = choose(speech, other)
    assert ids(found.train) == [f"clip-{i}" for i in range(1, 8)]
    assert any("left 1 clips out of train" in note for note in found.notes)


def test_what_cannot_be_used_is_listed_with_its_reason(speech):
    (speech / "clip-0.wav").write_bytes(b"")
    found = choose(speech, fits=lambda text: not text.startswith("deux"))
    assert ids(found.train) == [f"clip-{i}" for i in range(2, 8)]
    reasons = {rejected.id: rejected.reason for rejected in found.rejected}
    assert "empty" in reasons["clip-0"]
    assert reasons["clip-1"] == "text longer than the decoder holds"


def test_refusals(speech):
    with pytest.raises(
        InputError, match="train_data='.*': no usable clip; first: clip-0: text lon"
    ):
        choose(speech, fits=lambda text: False)
    with pytest.raises(InputError, match=r"eval_data='.*': no usable clip"):
        for number in (8, 9, 10):
            (speech / f"clip-{number}.wav").write_bytes(b"")
        choose(speech)


def test_nothing_left_to_train_on(speech):
    lines = [json.loads(t) for t in (speech / "train.jsonl").read_text().splitlines()]
    same = speech / "same.jsonl"
    same.write_text("\n".join(json.dumps(line | {"text": "un deux"}) for line in lines))
    with pytest.raises(InputError, match="all clips share a text or speaker, so nothing can be he"):
        choose(same)


def test_a_missing_split_is_named(speech):
    (speech / "train.jsonl").unlink()
    with pytest.raises(InputError, match="no 'train' split; it has test, validation"):
        choose(speech)
