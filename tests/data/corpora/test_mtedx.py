import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.corpora.mtedx import is_mtedx, load_segments
from whisper_qat.errors import InputError

ENTRIES = (
    "- {duration: 1.0, offset: 0.5, speaker_id: spk.1, wav: talk.wav}\n"
    "- {duration: 0.5, offset: 2.0, speaker_id: spk.1, wav: talk.wav}\n"
)


@pytest.fixture
def talks(write_tone, tmp_path):
    folder = tmp_path / "fr-fr"
    text = folder / "data/test/txt"
    text.mkdir(parents=True)
    write_tone("talk.flac", seconds=3.0, folder=folder / "data/test/wav")
    (text / "test.yaml").write_text(ENTRIES)
    (text / "test.fr").write_text("Bonjour.\nMerci.\n")
    return folder


def test_segments_are_stretches_of_a_talk(talks):
    assert is_mtedx(talks, "test") and not is_mtedx(talks, "valid")
    one, two = load_segments(talks, "test")
    assert (one.text, two.text, one.speaker) == ("Bonjour.", "Merci.", "spk.1")
    assert (one.id, two.id) == ("talk_00000", "talk_00001")
    assert [len(read_audio(clip)) for clip in (one, two)] == [16_000, 8_000]


def test_texts_and_entries_must_match(talks):
    (talks / "data/test/txt/test.fr").write_text("Bonjour.\n")
    with pytest.raises(InputError, match=r"test\.fr: 1 lines, .*test\.yaml has 2 entries"):
        load_segments(talks, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- {offset: 1, wav: a}\n- {}\n", "entry 0: .* expected offset, duration and wav"),
        ("a: [", "not YAML"),
        ("a: 1", "expected a list"),
    ],
)
def test_bad_entries_are_named(talks, content, message):
    (talks / "data/test/txt/test.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        load_segments(talks, "test")


def test_missing_texts(talks):
    (talks / "data/test/txt/test.fr").unlink()
    with pytest.raises(InputError, match=r"test\.fr: no such file; expected one reference a line"):
        load_segments(talks, "test")
