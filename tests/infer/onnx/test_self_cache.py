"""The cache's memory: grown in chunks, kept in place between, rows in any order."""

import numpy as np
import pytest

from whisper_qat.infer.onnx.self_cache import SelfCache

SIZES = {"a": (2, 4), "b": (2, 4)}


def filled(rows, length, growth=8):
    cache = SelfCache(SIZES, growth)
    cache.make_room(rows, length)
    for array in cache.arrays.values():
        array[:, :, :length] = np.arange(rows * length).reshape(rows, 1, length, 1) + 1
    cache.length = length
    return cache


def test_room_comes_in_chunks_and_stays_where_it_is():
    cache = filled(2, 3)
    assert all(array.shape == (2, 2, 8, 4) for array in cache.arrays.values())
    before = dict(cache.arrays)
    assert not cache.make_room(2, 5)
    assert all(cache.arrays[name] is array for name, array in before.items())


def test_growing_keeps_what_is_there_and_zeros_what_is_free():
    cache = filled(2, 7)
    assert cache.make_room(2, 2)
    array = cache.arrays["b"]
    assert array.shape == (2, 2, 16, 4)
    assert array[1, 0, :7, 0].tolist() == list(range(8, 15)) and not array[:, :, 7:].any()


def test_rows_move_and_repeat():
    cache = filled(3, 2)
    cache.take_rows([2, 0, 2])
    assert cache.arrays["a"][:, 1, 0, 3].tolist() == [5, 1, 5]
    assert all(array.flags.c_contiguous for array in cache.arrays.values())
    assert not cache.make_room(3, 1)


def test_an_empty_cache_takes_the_rows_of_its_first_tokens():
    cache = SelfCache(SIZES)
    assert cache.make_room(5, 4) and cache.arrays["a"].shape == (5, 2, 64, 4)


def test_other_rows_than_it_has():
    with pytest.raises(ValueError, match="2 rows of tokens on a cache of 3"):
        filled(3, 2).make_room(2, 1)
