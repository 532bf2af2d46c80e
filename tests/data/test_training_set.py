import json

import pytest

from whisper_qat.config import InputError
from whisper_qat.data.training_set import load_training_set


def write_lines(path, texts, **fields):
    rows = [{"audio": f"{path.stem}{i}.wav", "text": t, **fields} for i, t in enumerate(texts)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


@pytest.fixture
def folder(tmp_path):
    write_lines(tmp_path / "train.jsonl", [f"texte {i}" for i in range(40)], duration=1.8)
    write_lines(tmp_path / "test.jsonl", ["essai"])
    return tmp_path


@pytest.mark.parametrize("same", [True, False])
def test_one_folder_gives_its_train_and_validation(folder, same):
    write_lines(folder / "validation.jsonl", ["valide"])
    made = load_training_set(str(folder), str(folder) if same else None)
    assert (len(made.train), len(made.validation), made.messages) == (40, 1, [])


def test_missing_validation_is_held_out_and_announced(folder):
    made = load_training_set(str(folder), str(folder), seed=3)
    assert (len(made.train), len(made.validation)) == (38, 2)
    assert not {c.id for c in made.train} & {c.id for c in made.validation}
    assert "has no validation split: held out 2 clips" in made.messages[0]
    assert made.record["validation"] == {"clips": 2, "hours": pytest.approx(0.001)}
    assert made == load_training_set(str(folder), None, seed=3)


def test_max_samples_is_a_seeded_draw_recorded_with_its_hours(folder):
    made = load_training_set(str(folder), None, max_samples=10, seed=3)
    assert made.record["train"] == {"clips": 10, "hours": pytest.approx(0.005), "of": 38}
    assert any("drew 10 clips, 0.01 h of 38 clips" in message for message in made.messages)
    assert made.train != load_training_set(str(folder), None, max_samples=10, seed=4).train


def test_two_sources_and_a_shared_text(folder, tmp_path):
    other = write_lines(tmp_path / "other.jsonl", ["Texte 3 !", "autre"])
    made = load_training_set(str(folder), other)
    assert (len(made.train), len(made.validation)) == (40, 2)
    assert made.messages == ["1 of 2 validation texts are also in the training data"]


def test_nothing_to_train_on(folder, tmp_path):
    same = write_lines(tmp_path / "same.jsonl", ["a", "a"])
    with pytest.raises(InputError, match="none can be held out: its 2 clips all share a text"):
        load_training_set(same, None)
    (folder / "train.jsonl").rename(folder / "validation.jsonl")
    with pytest.raises(InputError, match="no split 'train'; it has validation, test"):
        load_training_set(str(folder), None)
