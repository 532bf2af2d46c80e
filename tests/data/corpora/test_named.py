from pathlib import Path

import pytest

from whisper_qat.data.corpora.named import (
    DEFAULT_CONFIG,
    CorpusEntry,
    CorpusUnreachable,
    load_corpus,
    on_the_hub,
    read_entries,
)
from whisper_qat.errors import InputError

SHIPPED = Path(__file__).parents[3] / DEFAULT_CONFIG
NAMES = [
    "community-v2",
    "mtedx",
    "zaion5",
    "zaion6",
    "common-voice-fr",
    "fleurs-fr",
    "mls-fr",
    "voxpopuli-fr",
    "african-accented-french",
    "long-form",
    "code-switching",
    "telephone-fr",
    "telephone-en",
]


@pytest.fixture
def config(tmp_path):
    def write(content):
        path = tmp_path / "corpora.yaml"
        path.write_text(content)
        return path

    return write


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"audio": "a.wav", "text": "un", "raw": "deux"}')
    return path


def test_shipped_file_has_every_name():
    assert sorted(read_entries(SHIPPED)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_corpora_are_there_or_unreachable_with_a_reason(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusUnreachable) as caught:
        load_corpus(name, SHIPPED)
    assert caught.value.name == name
    assert "is not there" in caught.value.reason or "not to be had" in caught.value.reason
    assert "\n" not in str(caught.value)


def test_private_manifest_by_name(config, manifest):
    path = config(f"zaion5: {{path: {manifest}, text_field: raw}}")
    assert [clip.text for clip in load_corpus("zaion5", path)] == ["deux"]


def test_missing_private_manifest(config):
    path = config("zaion5: {path: /no/zaion5.jsonl}")
    with pytest.raises(
        CorpusUnreachable, match=r"corpus zaion5: /no/zaion5\.jsonl is not there; put"
    ):
        load_corpus("zaion5", path)


def test_hub_corpus_without_the_hub(config):
    path = config("far: {path: /no, hub: some/where, split: validation}")
    with pytest.raises(
        CorpusUnreachable, match="/no is not there, and some/where is not to be had"
    ):
        load_corpus("far", path)


def test_any_other_name_is_a_path(config, manifest):
    assert [clip.text for clip in load_corpus(str(manifest), config("{}"))] == ["un"]


def test_folder_gives_its_test_split(config, tmp_path):
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"audio": "a.wav", "text": "{name}"}}')
    assert load_corpus(str(tmp_path), config("{}"))[0].text == "test"
    (tmp_path / "test.jsonl").unlink()
    assert load_corpus(str(tmp_path), config("{}"))[0].text == "validation"
    (tmp_path / "validation.jsonl").rename(tmp_path / "test.csv")
    (tmp_path / "test.csv").write_text("audio,text\na.wav,csv\n")
    assert load_corpus(str(tmp_path), config("{}"))[0].text == "csv"


def test_mtedx_folder(config, tmp_path, write_tone):
    text = tmp_path / "fr-fr/data/test/txt"
    text.mkdir(parents=True)
    (text / "test.yaml").write_text("- {duration: 1.0, offset: 0.0, wav: t.wav}\n")
    (text / "test.fr").write_text("Bonjour\n")
    clips = load_corpus("mtedx", config(f"mtedx: {{path: {tmp_path / 'fr-fr'}}}"))
    assert [clip.text for clip in clips] == ["Bonjour"]


def test_hub_id_that_cannot_be_reached(config):
    with pytest.raises(CorpusUnreachable, match=r"corpus a/b: .* not to be had from the Hub"):
        load_corpus("a/b", config("{}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x: {paht: a}", r"x: unknown key 'paht'; did you mean 'path'\?"),
        ("x: {path: 3}", "x: path is 3, expected text"),
        ("x: {split: test}", "x: expected a 'path', a 'hub' id, or both"),
        ("x: 3", "x: expected keys such as"),
        ("- x", "expected 'name: "),
        ("x: {", "not YAML"),
    ],
)
def test_bad_corpora_files(config, content, message):
    with pytest.raises(InputError, match=message):
        read_entries(config(content))


def test_unknown_names(config, tmp_path):
    with pytest.raises(InputError, match=r"'zaion': neither in .* did you mean 'zaion5'\?"):
        load_corpus("zaion", config("zaion5: {path: a}"))
    with pytest.raises(InputError, match="no such file; expected the list of corpora"):
        read_entries(tmp_path / "none.yaml")


def test_a_known_corpus_needs_no_address(config):
    path = config("mls-fr: {path: /no}\nmine: {path: /no}")
    entries = read_entries(path)
    known = on_the_hub("mls-fr", entries["mls-fr"])
    assert (known.hub, known.config) == ("facebook/multilingual_librispeech", "french")
    assert (known.text_field, known.data_files) == ("transcript", "french/test-*.parquet")
    own = CorpusEntry(path="/no", hub="some/where")
    assert on_the_hub("mls-fr", own) == own
    assert on_the_hub("mine", entries["mine"]) == entries["mine"]
