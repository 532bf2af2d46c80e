"""Recordings of a command line: files, trees, what is wrong with some, and names that clash."""

import numpy as np
import pytest
import soundfile

from whisper_qat.data.audio.recordings import gather
from whisper_qat.errors import InputError


@pytest.fixture
def tree(tmp_path):
    for name in ("a.wav", "deep/er/b.flac", "deep/c.MP3", "deep/notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no audio")
        else:
            soundfile.write(path, np.zeros(8_000), 16_000, format=path.suffix[1:].upper())
    return tmp_path / "in"


def test_a_folder_stands_for_all_audio_below_it(tree, tmp_path):
    recordings, problems = gather([str(tree)], tmp_path / "out", ".srt")
    names = [r.path.relative_to(tree).as_posix() for r in recordings]
    assert names == ["a.wav", "deep/c.MP3", "deep/er/b.flac"] and problems == []
    outputs = [r.output.relative_to(tmp_path / "out").as_posix() for r in recordings]
    assert outputs == ["a.srt", "deep/c.srt", "deep/er/b.srt"]
    assert recordings[0].duration_s == 0.5


def test_a_file_named_twice_is_one_recording(tree):
    recordings, _ = gather([str(tree / "a.wav"), str(tree)], None, ".txt")
    assert len(recordings) == 3 and recordings[0].output is None


def test_what_is_wrong_is_listed_beside_the_rest(tree, tmp_path):
    (tmp_path / "none").mkdir()
    (tree / "bad.wav").write_text("words")
    paths = [str(tree / "no.wav"), str(tmp_path / "none"), str(tree / "bad.wav"), str(tree)]
    recordings, problems = gather(paths, None, ".txt")
    assert len(recordings) == 3
    said = "\n".join(map(str, problems))
    assert "no.wav: no such audio file" in said
    assert "none: no audio files in this folder (.wav, .flac, .ogg, .mp3)" in said
    assert "bad.wav: not audio that can be read; expected WAV" in said


def test_two_recordings_of_one_output_are_refused(tree, tmp_path):
    other = tmp_path / "a.wav"
    soundfile.write(other, np.zeros(100), 16_000)
    message = r"in/a.wav and .*a.wav: both would be written to .*out/a.txt; transcribe them into d"
    with pytest.raises(InputError, match=message):
        gather([str(tree), str(other)], tmp_path / "out", ".txt")
