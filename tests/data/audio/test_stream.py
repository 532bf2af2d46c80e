"""Blocks of a file: the very samples of read_audio, the same refusals, little memory."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.audio.stream import blocks
from whisper_qat.errors import InputError


def noise(path, rate, seconds, channels=1, **settings):
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (round(rate * seconds), channels)).astype(np.float32)
    soundfile.write(path, samples, rate, **settings)
    return path


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("seconds", [0.01, 10.0, 23.7])
def test_joined_blocks_are_the_file(tmp_path, rate, seconds):
    path = noise(tmp_path / "a.wav", rate, seconds, channels=2)
    found = list(blocks(path))
    expected = read_audio(path)
    joined = np.concatenate(found)
    assert joined.dtype == np.float32 and joined.shape == expected.shape
    assert (joined == expected).all()


@pytest.mark.parametrize(
    ("name", "tolerance"),
    # libsndfile's MP3 decoder rounds otherwise after read_audio's seek to the start.
    [("a.flac", 0), ("a.ogg", 0), ("a.mp3", 2e-7)],
)
def test_every_format_is_read(tmp_path, name, tolerance):
    path = noise(tmp_path / name, 16_000, 21.0)
    joined, expected = np.concatenate(list(blocks(path))), read_audio(path)
    assert joined.shape == expected.shape
    assert np.abs(joined - expected).max() <= tolerance


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = noise(tmp_path / "long.wav", 8_000, 600.0, subtype="PCM_U8")
    tracemalloc.start()
    for _ in blocks(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # all of it would be 38 MB


def no_file(path):
    return path / "no.wav"


def no_audio(path):
    (path / "text.wav").write_text("words")
    return path / "text.wav"


def empty(path):
    (path / "empty.wav").touch()
    return path / "empty.wav"


def cut_wav(path):
    whole = noise(path / "cut.wav", 16_000, 3.0).read_bytes()
    (path / "cut.wav").write_bytes(whole[:50_000])
    return path / "cut.wav"


def cut_flac(path):
    whole = noise(path / "cut.flac", 16_000, 30.0).read_bytes()
    (path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    return path / "cut.flac"


def not_finite(path):
    soundfile.write(path / "nan.wav", np.array([0.1, np.nan]), 16_000, subtype="FLOAT")
    return path / "nan.wav"


def wrong_rate(path):
    return noise(path / "slow.wav", 4_000, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_file, r"no.wav: no such audio file"),
        (no_audio, r"text.wav: not audio that can be read; expected WAV, FLAC, OGG or MP3"),
        (empty, r"empty.wav: empty audio file \(0 bytes\)"),
        (cut_wav, r"cut.wav: truncated: the file ends before its audio does"),
        (cut_flac, r"cut.flac: truncated"),
        (not_finite, r"nan.wav: damaged: holds samples that are not finite numbers"),
        (wrong_rate, r"slow.wav: 4000 Hz; expected 8000 to 96000 Hz"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        list(blocks(make(tmp_path)))
