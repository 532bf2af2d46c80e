import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisper_qat.data.audio.reading import probe, read_audio
from whisper_qat.data.clips.clip import Clip, EmbeddedAudio, Segment
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_becomes_16_khz_mono(write_tone, rate, channels):
    path = write_tone("tone.wav", seconds=1.0, rate=rate, channels=channels)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert samples.shape == (SAMPLE_RATE,)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == 440  # one bin is one Hz: the pitch survives
    assert np.abs(samples[2000:-2000]).max() == pytest.approx(0.3, abs=0.005)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_every_format_is_read(write_tone, name):
    path = write_tone(name, seconds=2.0)
    assert len(read_audio(path)) == pytest.approx(2 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.1)


def test_channels_are_averaged(tmp_path):
    stereo = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1)
    soundfile.write(tmp_path / "s.wav", stereo, 16_000, subtype="FLOAT")
    assert (read_audio(tmp_path / "s.wav") == np.float32(0.125)).all()


def test_16_khz_samples_are_untouched(tmp_path):
    wave = np.random.default_rng(0).uniform(-1, 1, 1600).astype(np.float32)
    soundfile.write(tmp_path / "s.wav", wave, 16_000, subtype="FLOAT")
    assert (read_audio(tmp_path / "s.wav") == wave).all()


def test_embedded_bytes_and_segments_are_read(write_tone):
    path = write_tone("tone.wav", seconds=3.0)
    rows = [{"audio": {"bytes": path.read_bytes(), "path": None}}]
    clip = Clip(id="x", audio=EmbeddedAudio(dataset=rows, index=0), text="")
    assert len(read_audio(clip)) == 3 * SAMPLE_RATE
    segment = Segment(path=str(path), offset_s=0.5, duration_s=1.25)
    assert len(read_audio(segment)) == 1.25 * SAMPLE_RATE
    assert (read_audio(segment) == read_audio(path)[8_000:28_000]).all()
    assert probe(segment).duration_s == 1.25


def test_segment_past_the_end(write_tone):
    path = write_tone("tone.wav", seconds=1.0)
    with pytest.raises(InputError, match=r"tone\.wav: offset 9\.0 s is past the end \(1\.00 s\)"):
        read_audio(Segment(path=str(path), offset_s=9.0, duration_s=1.0))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.wav: no such audio file"):
        read_audio(tmp_path / "nothing.wav")
    with pytest.raises(InputError, match="a folder, expected an audio file"):
        probe(tmp_path)


def test_empty_file(tmp_path):
    (tmp_path / "e.wav").touch()
    with pytest.raises(InputError, match=r"e\.wav: empty audio file \(0 bytes\)"):
        read_audio(tmp_path / "e.wav")
    soundfile.write(tmp_path / "f.wav", np.zeros(0), 16_000)
    for read in (read_audio, probe):
        with pytest.raises(InputError, match=r"f\.wav: empty audio \(0 frames\)"):
            read(tmp_path / "f.wav")


def test_not_audio(tmp_path):
    (tmp_path / "t.wav").write_text("this is a text file, not audio" * 10)
    for read in (read_audio, probe):
        with pytest.raises(InputError, match=r"t\.wav: not audio that can be read; expected WAV"):
            read(tmp_path / "t.wav")


@pytest.mark.parametrize("kept", [0.95, 0.5, 0.1])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_truncated_file(write_tone, name, kept):
    path = write_tone(name, seconds=3.0)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=rf"{path.name}: (truncated|not audio)"):
        read_audio(path)


def test_truncated_mp3(write_tone, capfd):
    path = write_tone("a.mp3", seconds=3.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"truncated: .* of 48000 frames decode"):
        read_audio(path)
    capfd.readouterr()  # mpg123 writes its own warning


def test_wav_from_a_pipe_with_unknown_length_is_read(tmp_path):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(1600, 0.1), 16_000, format="WAV")
    data = bytearray(buffer.getvalue())
    position = data.index(b"data") + 4
    data[position : position + 4] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "p.wav").write_bytes(data)
    assert len(read_audio(tmp_path / "p.wav")) == 1600


def test_rates_outside_the_range(write_tone):
    with pytest.raises(InputError, match=r"4000 Hz; expected 8000 to 96000 Hz"):
        read_audio(write_tone("low.wav", rate=4_000))


def test_samples_that_are_not_numbers(tmp_path):
    soundfile.write(tmp_path / "n.wav", np.array([0.1, np.nan]), 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match=r"n\.wav: damaged: .* not finite"):
        read_audio(tmp_path / "n.wav")


def test_row_without_audio():
    clip = Clip(id="x", audio=EmbeddedAudio(dataset=[{"audio": None}], index=0), text="")
    with pytest.raises(InputError, match="clip 'x': the dataset row has no audio"):
        read_audio(clip)


@pytest.mark.shared
def test_real_recordings_decode_to_their_stated_length(shared_data):
    paths = sorted((shared_data / "poetry-fr" / "audio").glob("*.ogg"))[:5]
    assert paths
    for path in paths:
        assert len(read_audio(path)) / SAMPLE_RATE == pytest.approx(
            probe(Path(path)).duration_s, abs=0.01
        )
