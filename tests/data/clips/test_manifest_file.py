import json

import pytest

from whisper_qat.data.clips.clip import Segment
from whisper_qat.data.clips.manifest_file import read_clips
from whisper_qat.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file


def test_json_lines(write, tmp_path):
    path = write(
        "m.jsonl",
        '{"audio": "a/1.wav", "text": " Bonjour ", "duration": 2.5, "speaker": 7, "lang": "fr"}\n'
        '\n{"audio": "/abs/2.wav", "text": "", "id": "two", "more": [1]}\n',
    )
    one, two = read_clips(path)
    assert (one.id, one.audio, one.text) == ("a/1", str(tmp_path / "a/1.wav"), "Bonjour")
    assert (one.duration_s, one.speaker, one.lang) == (2.5, "7", "fr")
    assert (two.id, two.audio, two.text, two.duration_s) == ("two", "/abs/2.wav", "", None)


def test_csv_tsv_and_test_samples_say_the_same(write):
    rows = [{"audio": "a.wav", "text": 'dit "oui", puis non'}, {"audio": "b.wav", "text": "b"}]
    lines = "\n".join(json.dumps(row) for row in rows)
    expected = read_clips(write("m.jsonl", lines))
    assert expected == read_clips(write("m.json", {"test_samples": rows, "name": "x"}))
    quoted = 'audio,text\r\na.wav,"dit ""oui"", puis non"\r\nb.wav,b\r\n'
    assert expected == read_clips(write("m.csv", quoted))
    assert expected == read_clips(
        write("m.tsv", 'audio\ttext\na.wav\tdit "oui", puis non\nb.wav\tb')
    )


def test_byte_order_mark_is_no_part_of_the_header(write):
    assert len(read_clips(write("m.csv", "\ufeffaudio,text\na.wav,b\n"))) == 1


def test_other_text_field(write):
    path = write("m.jsonl", '{"audio": "a.wav", "text": "x", "raw": "Texte"}')
    assert read_clips(path, text_field="raw")[0].text == "Texte"
    with pytest.raises(InputError, match=r"m\.jsonl:1: missing field 'rav'; did you mean 'raw'\?"):
        read_clips(path, text_field="rav")


def test_offset_makes_a_segment(write, tmp_path):
    path = write("m.jsonl", '{"audio": "t.wav", "text": "x", "offset": 3, "duration": 2}')
    assert read_clips(path)[0].audio == Segment(
        path=str(tmp_path / "t.wav"), offset_s=3.0, duration_s=2.0
    )
    path = write("m.jsonl", '{"audio": "t.wav", "text": "x", "offset": 3}')
    with pytest.raises(InputError, match="'offset' without 'duration'"):
        read_clips(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", '{"audio": "a.wav"}', r"m\.jsonl:1: missing field 'text'; it has \['audio'\]"),
        ("m.jsonl", '{"audio":"a","text":"b"}\n{"txt": 1}', r"m\.jsonl:2: missing field 'audio'"),
        ("m.jsonl", '{"audio":"a","text":"b"}\n{"audio', r"m\.jsonl:2: bad JSON"),
        ("m.jsonl", "[1]", r"m\.jsonl:1: expected an object"),
        ("m.jsonl", '{"audio": 3, "text": "b"}', "'audio' is 3, expected an audio file's path"),
        ("m.jsonl", '{"audio": "a", "text": 3}', "'text' is 3, expected text"),
        ("m.jsonl", '{"audio":"a","text":"b","duration":"x"}', "'duration' is 'x', expected sec"),
        ("m.jsonl", '{"audio":"a","text":"b","duration":-1}', "'duration' is '-1', expected sec"),
        ("m.jsonl", "\n", r"m\.jsonl: no clips in it"),
        ("m.json", '{"samples": []}', r'm\.json: expected \{"test_samples"'),
        ("m.json", '{"test_samples": [1]}', r"m\.json: test_samples\[0\]: expected an object"),
        ("m.json", '{"test_samples": \n[', r"m\.json: line 2: not JSON"),
        (
            "m.json",
            '{"test_samples": [{"audio": "a"}]}',
            r"test_samples\[0\]: missing field 'text'",
        ),
        ("m.csv", "a.wav,bonjour\n", r"m\.csv:1: no column 'audio' in the header .*'audio,text'"),
        ("m.csv", "audio,text\na.wav\n", r"m\.csv:2: 1 cells, the header has 2"),
        ("m.csv", "", r"m\.csv:1: no column 'audio'"),
        ("m.txt", "x", r"m\.txt: not a manifest; expected one of \.jsonl"),
        ("m.jsonl", '{"audio":"a","text":"b"}\n' * 2, r"m\.jsonl:2: id 'a' is already that of"),
    ],
)
def test_bad_manifests_are_named_by_line_and_field(write, name, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_clips(write(name, content))
    assert "\n" not in str(caught.value)


def test_missing_manifest_and_binary_content(tmp_path):
    with pytest.raises(InputError, match="no such manifest"):
        read_clips(tmp_path / "m.jsonl")
    (tmp_path / "m.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_clips(tmp_path / "m.jsonl")


@pytest.mark.parametrize("audio", ["../x.wav", "/etc/passwd", "a/../../x.wav"])
def test_confined_manifests_keep_to_their_folder(write, audio):
    path = write("m.jsonl", {"audio": audio, "text": "b"})
    with pytest.raises(InputError, match=r"is outside .*; expected a path inside it"):
        read_clips(path, confined=True)
    assert read_clips(path)  # a user's own manifest may point anywhere
