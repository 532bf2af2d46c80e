"""Reads an audio file in blocks of 16 kHz mono: an hour takes no more memory than a minute.

The samples are exactly those of `data.audio.reading.read_audio` (tested), and the same files are
refused, though damage in the middle of a file is found only when it is reached.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from whisper_qat.data.audio.reading import (
    MP3_SLACK_S,
    check_header,
    cut_off,
    existing,
    to_mono,
    undecodable,
)
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE

BLOCK_S = 10


class Forward(soundfile.SoundFile):
    """A sound file that is read strictly forwards, without seeking.

    After every read of a seekable file soundfile seeks to the current position. An MP3 decoder then
    loses the data that a frame takes from earlier frames, so each block would begin with a click.
    """

    def seekable(self) -> bool:
        return False


def blocks(path: str | Path) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of float32 [samples] at 16 kHz, in order; InputError as in `read_audio`."""
    where = existing(str(path))
    _check_whole(where)
    opened = False
    try:
        with Forward(where) as file:
            opened = True
            check_header(file.frames, file.samplerate, where)
            yield from _resample(_decode(file, where), file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(undecodable(where, error, opened=opened)) from None


def _check_whole(where: str) -> None:
    try:
        with (
            open(where, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            incomplete = cut_off(data)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})") from None
    if incomplete:
        raise InputError(f"{where}: truncated: the file ends before its audio does")


def _decode(file: soundfile.SoundFile, where: str) -> Iterator[NDArray[np.float32]]:
    """Yield mono blocks at the file's own sample rate."""
    found = 0
    while len(samples := file.read(BLOCK_S * file.samplerate, dtype="float32", always_2d=True)):
        found += len(samples)
        yield to_mono(samples, where)
    slack = MP3_SLACK_S * file.samplerate if file.format in ("MPEG", "MP3") else 0
    if found < file.frames - slack:
        raise InputError(f"{where}: truncated: {found} of {file.frames} frames decode")


def _resample(mono: Iterator[NDArray[np.float32]], rate: int) -> Iterator[NDArray[np.float32]]:
    if rate == SAMPLE_RATE:
        yield from mono
        return
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in mono:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
