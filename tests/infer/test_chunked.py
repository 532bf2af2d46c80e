"""Chunks: all of the audio, none over 30 s, cut in pauses."""

import numpy as np
import pytest

from whisper_qat.infer.chunked import WINDOW, chunks, quietest

RATE = 16_000


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(size=round(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 29.99, 30.0])
def test_up_to_30_s_is_one_piece(seconds):
    audio = noise(seconds)
    (piece,) = chunks(audio)
    assert (piece == audio).all()


@pytest.mark.parametrize("seconds", [30.001, 61.7, 200.0])
def test_nothing_is_lost_and_nothing_is_too_long(seconds):
    audio = noise(seconds)
    pieces = chunks(audio)
    assert (np.concatenate(pieces) == audio).all()
    assert all(0 < len(piece) <= WINDOW for piece in pieces)
    assert all(len(piece) >= WINDOW - 5 * RATE for piece in pieces[:-1])


def test_cut_falls_in_the_pause():
    audio = noise(40)
    audio[27 * RATE : round(27.5 * RATE)] = 0
    assert 27.0 <= len(chunks(audio)[0]) / RATE <= 27.5


def test_silence_is_cut_as_late_as_it_goes():
    assert len(chunks(np.zeros(45 * RATE, np.float32))[0]) / RATE == pytest.approx(29.9)


def test_quietest_finds_the_middle_of_the_pause():
    audio = np.ones(RATE, np.float32)
    audio[8000:11200] = 0  # exactly 0.2 s
    assert quietest(audio) == 9600
