import datasets
import pytest

from whisper_qat.data.corpora import hub
from whisper_qat.data.corpora.hub import HUB_CORPORA, collect
from whisper_qat.errors import InputError


def test_offline_says_so():
    with pytest.raises(InputError, match=r"google/fleurs is not to be had from the Hub"):
        collect(HUB_CORPORA["fleurs-fr"])


@pytest.mark.parametrize("name", HUB_CORPORA)
def test_splits_come_under_their_usual_names(monkeypatch, name):
    corpus, asked = HUB_CORPORA[name], []

    def load(dataset_id, config, split, data_files):
        asked.append((split, data_files))
        cell = {"bytes": b"x", "path": None}
        return datasets.Dataset.from_dict({"audio": [cell], corpus.text_field: [split]})

    monkeypatch.setattr(hub, "load_hub", load)
    collection = collect(corpus)
    assert list(collection.splits) == ["train", "validation", "test"]
    assert [clips[0].text for clips in collection.splits.values()] == [split for split, _ in asked]
    assert collection.inputs[name].startswith(f"hub:{corpus.dataset_id}")
