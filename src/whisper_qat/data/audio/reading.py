"""Reads audio files as mono float32 samples at 16 kHz; every error names its file.

libsndfile (through soundfile) decodes WAV, FLAC, OGG and MP3 alike. torchcodec was rejected: it
needs a matching FFmpeg on the machine. libsndfile silently shortens a WAV or OGG file that was cut
off, which would pair half the audio with the whole text, so truncation is checked here.
"""

import io
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from whisper_qat.data.clips.clip import Clip, EmbeddedAudio, Segment
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE

LOWEST_RATE, HIGHEST_RATE = 8_000, 96_000
EXPECTED = "expected WAV, FLAC, OGG or MP3"
UNKNOWN_SIZES = (0, 0x7FFFFFFF - 36, 0x7FFFFFFF, 0xFFFFFFFF - 36, 0xFFFFFFFF)  # written by pipes
OGG_TAIL = 128 * 1024  # an OGG page has at most 65,307 bytes
OGG_LAST_PAGE = 0x04  # header_type flag "end of stream", RFC 3533 section 6
MP3_SLACK_S = 0.2  # an MP3 header counts whole frames, encoder delay and padding


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """Properties of an audio file read from its header, without decoding."""

    duration_s: float
    sample_rate: int
    channels: int


def read_audio(source: Clip | EmbeddedAudio | Segment | str | os.PathLike[str]) -> np.ndarray:
    """Decode to float32 [samples] at 16 kHz, mono (mean of the channels), within about [-1, 1].

    InputError names the file when it is missing, empty, truncated or not audio.
    """
    audio, where = _locate(source)
    if isinstance(audio, Segment):  # of a long recording: seek in the file, do not read it whole
        return _decode(existing(audio.path), where, segment=audio)
    data = audio if isinstance(audio, bytes) else open_bytes(audio)
    if not data:
        raise InputError(f"{where}: empty audio (0 bytes)")
    if cut_off(data):
        raise InputError(f"{where}: truncated: the file ends before its audio does")
    return _decode(io.BytesIO(data), where)


def probe(source: Clip | EmbeddedAudio | Segment | str | os.PathLike[str]) -> AudioInfo:
    """Read duration, sample rate and channels from the header; InputError as in `read_audio`."""
    audio, where = _locate(source)
    segment = audio if isinstance(audio, Segment) else None
    data = io.BytesIO(audio) if isinstance(audio, bytes) else existing(_path(audio))
    try:
        info = soundfile.info(data)
    except (soundfile.LibsndfileError, RuntimeError):
        raise InputError(f"{where}: not audio that can be read; {EXPECTED}") from None
    check_header(info.frames, info.samplerate, where)
    duration_s = segment.duration_s if segment else info.frames / info.samplerate
    return AudioInfo(duration_s=duration_s, sample_rate=info.samplerate, channels=info.channels)


def _path(audio: str | Segment) -> str:
    return audio.path if isinstance(audio, Segment) else audio


def _locate(
    source: Clip | EmbeddedAudio | Segment | str | os.PathLike[str],
) -> tuple[bytes | str | Segment, str]:
    """Return where the audio is (bytes, path or segment) and its name for messages."""
    audio, where = (source.audio, source.where) if isinstance(source, Clip) else (source, "")
    if isinstance(audio, EmbeddedAudio):
        where = where or f"row {audio.index}"
        data, path = audio.load()
        if data is None and path is None:
            raise InputError(f"{where}: the dataset row has no audio")
        return (data, where) if data is not None else (str(path), str(path))
    if isinstance(audio, Segment):
        return audio, where or audio.path
    return os.fspath(audio), where or os.fspath(audio)


def existing(path: str) -> str:
    """Return `path` itself; InputError unless it is a file that is not empty."""
    try:
        size = Path(path).stat().st_size
    except OSError:
        raise InputError(f"{path}: no such audio file") from None
    if Path(path).is_dir():
        raise InputError(f"{path}: a folder, expected an audio file")
    if size == 0:
        raise InputError(f"{path}: empty audio file (0 bytes)")
    return path


def open_bytes(path: str) -> bytes:
    """Return the bytes of a file; InputError when it is missing, empty or unreadable."""
    try:
        return Path(existing(path)).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _decode(file: str | io.BytesIO, where: str, segment: Segment | None = None) -> np.ndarray:
    opened = False
    try:
        with soundfile.SoundFile(file) as audio:
            opened = True
            check_header(audio.frames, audio.samplerate, where)
            start, wanted = _stretch(segment, audio.frames, audio.samplerate, where)
            audio.seek(start)
            samples = audio.read(wanted, dtype="float32", always_2d=True)
            rate, form = audio.samplerate, audio.format
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(undecodable(where, error, opened=opened)) from None
    slack = MP3_SLACK_S * rate if form in ("MPEG", "MP3") else 0
    if len(samples) < wanted - slack:
        raise InputError(f"{where}: truncated: {len(samples)} of {wanted} frames decode")
    return _to_whisper(samples, rate, where)


def undecodable(where: str, error: Exception, *, opened: bool) -> str:
    """The message for audio that does not decode: damaged if its header opened, else not audio."""
    if not opened:
        return f"{where}: not audio that can be read; {EXPECTED}"
    return f"{where}: truncated or damaged: {' '.join(str(error).split())}"


def _stretch(segment: Segment | None, frames: int, rate: int, where: str) -> tuple[int, int]:
    """Return (first frame, number of frames) of a segment, or of the whole file."""
    if segment is None:
        return 0, frames
    start = round(segment.offset_s * rate)
    if start >= frames:
        raise InputError(
            f"{where}: offset {segment.offset_s} s is past the end ({frames / rate:.2f} s)"
        )
    return start, min(round(segment.duration_s * rate), frames - start)


def check_header(frames: int, rate: int, where: str) -> None:
    """InputError for a header without frames, or with a sample rate unusual for speech."""
    if frames <= 0:
        raise InputError(f"{where}: empty audio (0 frames)")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(f"{where}: {rate} Hz; expected {LOWEST_RATE} to {HIGHEST_RATE} Hz")


def _to_whisper(samples: np.ndarray, rate: int, where: str) -> np.ndarray:
    """Convert [frames, channels] at ``rate`` to mono [samples] at 16 kHz."""
    mono = to_mono(samples, where)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(mono, dtype=np.float32)


def to_mono(samples: np.ndarray, where: str) -> np.ndarray:
    """Average the channels of [frames, channels]; InputError for samples that are not finite."""
    if not np.isfinite(samples).all():
        raise InputError(f"{where}: damaged: holds samples that are not finite numbers")
    return samples.mean(axis=1, dtype=np.float32)


def cut_off(data: bytes | mmap.mmap) -> bool:
    """True when a WAV or OGG file ends before its own headers say it should.

    Truncated FLAC and MP3 files are found when they are decoded.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav_cut_off(data)
    return data[:4] == b"OggS" and _ogg_cut_off(data)


def _wav_cut_off(data: bytes | mmap.mmap) -> bool:
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        if name == b"data":
            return size not in UNKNOWN_SIZES and position + 8 + size > len(data)
        position += 8 + size + size % 2
    return True


def _ogg_cut_off(data: bytes | mmap.mmap) -> bool:
    """True when the last page is incomplete or lacks the end-of-stream flag."""
    start = data.rfind(b"OggS", max(0, len(data) - OGG_TAIL))
    header = data[start : start + 27]
    if start < 0 or len(header) < 27 or not header[5] & OGG_LAST_PAGE:
        return True
    lengths = data[start + 27 : start + 27 + header[26]]
    return len(lengths) < header[26] or start + 27 + header[26] + sum(lengths) > len(data)
