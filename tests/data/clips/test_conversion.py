import io
import json

import numpy as np
import pytest
import soundfile

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.conversion import convert, encode_flac, file_names
from whisper_qat.data.clips.source import JOURNAL_NAME
from whisper_qat.errors import InputError

SETTINGS = {"seed": 1}


@pytest.fixture
def clips(write_tone, make_clip, tmp_path):
    good = [
        make_clip(f"c{i}", audio=str(write_tone(f"{i}.wav", seconds=0.5, rate=8000)))
        for i in range(4)
    ]
    return [*good, make_clip("gone", audio=str(tmp_path / "gone.wav"))]


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_clips_become_16_khz_flac_and_reasons(clips, out):
    outcomes = convert(clips, out, SETTINGS, read_audio)
    assert outcomes["gone"] == {"id": "gone", "reason": "no such audio file"}
    assert outcomes["c0"]["audio"] == "audio/c0.flac" and outcomes["c0"]["duration"] == 0.5
    info = soundfile.info(out / "audio/c0.flac")
    assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 8_000)
    assert len(list((out / "audio").iterdir())) == 4


def test_an_interrupted_run_goes_on(clips, out):
    calls = []

    def read(clip):
        calls.append(clip.id)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read_audio(clip)

    with pytest.raises(KeyboardInterrupt):
        convert(clips, out, SETTINGS, read)
    with open(out / JOURNAL_NAME, "a") as journal:
        journal.write('{"id": "c3", "rea')  # a line that a kill cut short
    done = len((out / JOURNAL_NAME).read_text().splitlines()) - 2
    outcomes = convert(clips, out, SETTINGS, lambda clip: calls.append("+") or read_audio(clip))
    assert calls.count("+") == len(clips) - done
    assert sorted(outcomes) == ["c0", "c1", "c2", "c3", "gone"]
    assert not list((out / "audio").glob("*.partial"))
    convert(clips, out, SETTINGS, lambda clip: pytest.fail("decoded twice"))


def test_other_settings_are_refused(clips, out):
    convert(clips[:1], out, SETTINGS, read_audio)
    with pytest.raises(InputError, match=r"other settings \(seed=1, now 2\); give another"):
        convert(clips, out, {"seed": 2}, read_audio)
    assert json.loads((out / JOURNAL_NAME).read_text().splitlines()[0]) == {"settings": SETTINGS}


def test_file_names_are_safe_and_unique():
    ids = ["a/b", "a_b", "A_B", "../../etc", "é:*?", "...", "x" * 500, "y" + "x" * 500]
    names = file_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert names["a/b"] == "audio/a_b.flac"
    assert all(name.count("/") == 1 and ".." not in name for name in names.values())
    assert max(map(len, names.values())) < 160


def test_flac_is_16_bit_exact_and_clips():
    codes = np.array([-32768, -1, 0, 1, 32767])
    samples = np.concatenate([codes / 32768, [1.5]]).astype(np.float32)
    decoded, _ = soundfile.read(io.BytesIO(encode_flac(samples)), dtype="int16")
    assert decoded.tolist() == [*codes.tolist(), 32767]
