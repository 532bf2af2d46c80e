"""Chunks: all of the audio, none over 30 s, cut in pauses."""

import numpy as np
import pytest

from whisper_qat.infer.long_form.chunks import WINDOW, chunks, quietest

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
    pieces = list(chunks(audio))
    assert (np.concatenate(pieces) == audio).all()
    assert all(0 < len(piece) <= WINDOW for piece in pieces)
    assert all(len(piece) >= WINDOW - 5 * RATE for piece in pieces[:-1])


@pytest.mark.parametrize("block", [1_000, 160_000, 700_001])
@pytest.mark.parametrize("seconds", [0.5, 30.0, 95.3])
def test_blocks_of_any_length_are_cut_where_the_whole_is(seconds, block):
    audio = noise(seconds)
    blocks = (audio[i : i + block] for i in range(0, len(audio), block))
    found, expected = list(chunks(blocks)), list(chunks(audio))
    assert [len(piece) for piece in found] == [len(piece) for piece in expected]
    assert (np.concatenate(found) == audio).all()


def test_no_blocks_are_one_piece_without_samples():
    assert [len(piece) for piece in chunks([])] == [0]


def test_cut_falls_in_the_pause():
    audio = noise(40)
    audio[27 * RATE : round(27.5 * RATE)] = 0
    assert 27.0 <= len(next(chunks(audio))) / RATE <= 27.5


def test_silence_is_cut_as_late_as_it_goes():
    assert len(next(chunks(np.zeros(45 * RATE, np.float32)))) / RATE == pytest.approx(29.9)


def test_quietest_finds_the_middle_of_the_pause():
    audio = np.ones(RATE, np.float32)
    audio[8000:11200] = 0  # exactly 0.2 s
    assert quietest(audio) == 9600
