import json
import sys
from pathlib import Path

import datasets
import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import EmbeddedAudio
from whisper_qat.data.clips.source import (
    JOURNAL_NAME,
    Unreachable,
    load_clips,
    load_hub,
    load_splits,
)
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.runs.folders import write_json

SRC = Path(__file__).parents[3] / "src"


@pytest.fixture(autouse=True)
def no_torchcodec(monkeypatch, tmp_path):
    """Importing torchcodec fails here, and the Arrow cache is this test's own."""
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture
def table(write_tone):
    """Three clips as the Hub has them: repeated ids, an unknown speaker, encoded bytes."""
    paths = [write_tone(f"{i}.wav", seconds=1.0 + i) for i in range(3)]
    columns = {
        "id": [7, 7, 8],
        "audio": [{"bytes": p.read_bytes(), "path": p.name} for p in paths],
        "sentence": ["un", "deux", "trois"],
        "speaker_id": ["a", "None", "b"],
    }
    plain = datasets.Dataset.from_dict(columns)
    return plain.cast_column("audio", datasets.Audio(sampling_rate=16_000, decode=False))


def check_table(clips):
    assert [c.id for c in clips] == ["7", "7#2", "8"]
    assert [c.text for c in clips] == ["un", "deux", "trois"]
    assert [c.speaker for c in clips] == ["a", None, "b"]
    assert all(isinstance(c.audio, EmbeddedAudio) for c in clips)
    assert [len(read_audio(c)) / SAMPLE_RATE for c in clips] == [1.0, 2.0, 3.0]


def test_saved_dataset(table, tmp_path):
    table.save_to_disk(tmp_path / "saved")
    splits = load_splits(tmp_path / "saved")
    assert list(splits) == ["all"]
    check_table(splits["all"])


def test_saved_dataset_dict_and_its_splits(table, tmp_path):
    both = datasets.DatasetDict(train=table, dev=table)
    both.save_to_disk(tmp_path / "saved")
    splits = load_splits(tmp_path / "saved")
    assert list(splits) == ["train", "validation"]
    check_table(load_clips(tmp_path / "saved", split="dev"))


def test_audio_column_that_would_decode_is_opened_without_decoding(table, tmp_path):
    table.cast_column("audio", datasets.Audio(decode=True)).save_to_disk(tmp_path / "saved")
    check_table(load_clips(tmp_path / "saved"))


def test_parquet_folder(table, tmp_path):
    (tmp_path / "pq").mkdir()
    table.to_parquet(tmp_path / "pq" / "train-00000-of-00001.parquet")
    table.to_parquet(tmp_path / "pq" / "test-00000-of-00001.parquet")
    splits = load_splits(tmp_path / "pq")
    assert set(splits) == {"train", "test"}
    check_table(splits["test"])


@pytest.mark.parametrize("inner", ["", "train"])
def test_audiofolder(write_tone, tmp_path, inner):
    folder = tmp_path / "af" / inner
    write_tone("x.wav", folder=folder)
    (folder / "metadata.csv").write_text("file_name,transcription\nx.wav,bonjour\n")
    splits = load_splits(tmp_path / "af")
    assert list(splits) == [inner or "all"]
    (clip,) = next(iter(splits.values()))
    assert (clip.id, clip.text, len(read_audio(clip))) == ("x", "bonjour", SAMPLE_RATE)


@pytest.fixture
def manifests(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    for name in ("train", "validation", "test"):
        (folder / f"{name}.jsonl").write_text(json.dumps({"audio": f"{name}.wav", "text": name}))
    return folder


def test_folder_of_split_manifests(manifests):
    assert list(load_splits(manifests)) == ["train", "validation", "test"]
    assert load_clips(manifests, split="dev")[0].text == "validation"
    with pytest.raises(InputError, match="several splits; expected one of train, validation, test"):
        load_clips(manifests)
    with pytest.raises(InputError, match="no split 'tests'; expected one of train"):
        load_clips(manifests, split="tests")


def test_one_split_is_taken_whatever_its_name(manifests):
    assert load_clips(manifests / "test.jsonl", split="train")[0].text == "test"


def test_two_files_for_one_split(manifests):
    (manifests / "dev.jsonl").write_text("{}")
    with pytest.raises(InputError, match=r"validation\.jsonl and dev\.jsonl both hold"):
        load_splits(manifests)


def test_unfinished_folder_is_refused_until_it_has_a_manifest(manifests):
    (manifests / JOURNAL_NAME).touch()
    with pytest.raises(InputError, match=r"unfinished; run prepare_data\.py on it again"):
        load_splits(manifests)
    write_json(manifests / "manifest.json", {})
    assert load_splits(manifests)


def test_unknown_columns(table, tmp_path):
    table.save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match=r"no column 'sentense'; .*did you mean 'sentence'\?"):
        load_clips(tmp_path / "saved", text_field="sentense")
    table.remove_columns("sentence").save_to_disk(tmp_path / "wordless")
    with pytest.raises(InputError, match="no column for the text; it has"):
        load_clips(tmp_path / "wordless")
    table.remove_columns("audio").save_to_disk(tmp_path / "soundless")
    with pytest.raises(InputError, match="no audio column; it has"):
        load_clips(tmp_path / "soundless")


@pytest.mark.parametrize("spec", ["/no/such/place", "nothing", "data/none.jsonl", "a b/c"])
def test_paths_that_are_not_there(spec):
    with pytest.raises(InputError, match=f"{spec}: no such file or folder; expected a folder"):
        load_splits(spec)


def test_folder_without_clips(tmp_path):
    with pytest.raises(InputError, match="no clips found in it; expected a folder from"):
        load_splits(tmp_path)


def test_hub_id_offline():
    with pytest.raises(Unreachable, match="some/thing: no such folder here, and some/thing is not"):
        load_splits("some/thing")


def test_hub_ids_carry_their_configuration(monkeypatch, table):
    asked = []

    def load(name, config=None, **options):
        asked.append((name, config, options.get("split")))
        return datasets.DatasetDict(test=table)

    monkeypatch.setattr("whisper_qat.data.clips.source.load_dataset", load)
    check_table(load_clips("google/fleurs:fr_fr", split="test"))
    assert asked == [("google/fleurs", "fr_fr", None)]


def test_script_datasets_fall_back_to_the_converted_files(monkeypatch):
    def load(name, config=None, *, split=None, revision=None):
        if revision is None:
            raise RuntimeError("Dataset scripts are no longer supported, but found x.py")
        return revision

    monkeypatch.setattr("whisper_qat.data.clips.source.load_dataset", load)
    assert load_hub("a/b", "fr", "test") == "refs/convert/parquet"


def test_audiofolder_on_the_hub_says_how_to_fetch_it(monkeypatch):
    def load(*args, **options):
        raise datasets.exceptions.DatasetGenerationError("x") from ImportError("no torchcodec")

    monkeypatch.setattr("whisper_qat.data.clips.source.load_dataset", load)
    with pytest.raises(Unreachable, match="hf download --repo-type dataset a/b --local-dir"):
        load_hub("a/b")


def test_torchcodec_is_nowhere_imported():
    files = list(SRC.rglob("*.py"))
    assert files
    assert not [f for f in files if "import torchcodec" in f.read_text()]
