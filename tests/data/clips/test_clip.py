import datasets

from whisper_qat.data.clips.clip import Clip, EmbeddedAudio, Segment, total_hours


def test_where_names_the_file_or_the_clip(make_clip):
    assert make_clip("a").where == "a.wav"
    segment = Segment(path="talk.wav", offset_s=1.0, duration_s=2.0)
    assert make_clip("a", audio=segment).where == "talk.wav (clip 'a')"
    embedded = EmbeddedAudio(dataset=None, index=3)
    assert Clip(id="a", audio=embedded, text="").where == "clip 'a'"


def test_embedded_audio_gives_bytes_before_path():
    cells = [{"bytes": b"xy", "path": "a.wav"}, {"bytes": None, "path": "b.wav"}]
    table = datasets.Dataset.from_dict({"audio": cells})
    assert EmbeddedAudio(dataset=table, index=0).load() == (b"xy", None)
    assert EmbeddedAudio(dataset=table, index=1).load() == (None, "b.wav")


def test_total_hours_is_unknown_when_one_duration_is(make_clip):
    known = [make_clip("a", duration_s=1800.0), make_clip("b", duration_s=1800.0)]
    assert total_hours(known) == 1.0
    assert total_hours([*known, make_clip("c")]) is None
