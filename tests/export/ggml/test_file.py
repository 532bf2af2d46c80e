"""whisper.cpp's bytes: header, tensors, and blocks against ggml's own definition of them."""

import struct

import numpy as np
import pytest

from tests.export.ggml_bytes import read_ggml
from whisper_qat.export.ggml.file import Sizes, blocks, write_header, write_tensor

SIZES = Sizes(
    n_vocab=51865, n_audio_ctx=1500, n_audio_state=64, n_audio_head=4, n_audio_layer=2,
    n_text_ctx=448, n_text_state=64, n_text_head=4, n_text_layer=3, n_mels=80,
)  # fmt: skip


@pytest.mark.parametrize(("kind", "ftype"), [("f16", 1), ("q4_0", 2002), ("q8_0", 2007)])
def test_header(tmp_path, kind, ftype):
    filters = np.arange(6, dtype=np.float32).reshape(2, 3)
    with open(tmp_path / "m.bin", "wb") as file:
        write_header(file, SIZES, kind, filters, [b"a", b"", b"\xc3\xa9"])
    found = read_ggml(tmp_path / "m.bin")
    assert found.sizes["ftype"] == ftype
    assert (found.sizes["n_vocab"], found.sizes["n_text_layer"]) == (51865, 3)
    assert found.sizes["n_mels"] == 80
    assert (found.filters == filters).all()
    assert found.tokens == [b"a", b"", b"\xc3\xa9"]


def test_dimensions_are_written_from_the_innermost(tmp_path):
    with open(tmp_path / "t.bin", "wb") as file:
        write_tensor(file, "ab", "f16", (5, 3), b"!")
    assert (tmp_path / "t.bin").read_bytes() == struct.pack("<5i", 2, 2, 1, 3, 5) + b"ab!"


def test_nibbles_of_q4_0_by_hand():
    codes = np.array([[*range(-8, 8), *[7] * 15, -8]], np.int8)
    data = blocks(codes, np.array([[-0.5]], np.float16), "q4_0")
    assert len(data) == 18
    assert data[:2] == b"\x00\xb8"  # -0.5 in float16
    assert data[2] == 0xF0  # weight 0 is -8 -> 0, weight 16 is 7 -> 15
    assert data[16] == 0xFE
    assert data[17] == 0x0F


def test_q8_0_holds_every_int8_and_a_negative_factor():
    codes = np.arange(-128, 128, dtype=np.int8).reshape(2, 128)
    factors = np.array([[-1, 0.5, 0, 65504], [2**-24, 1, 1, 1]], np.float16)
    data = blocks(codes, factors, "q8_0")
    assert len(data) == 8 * 34
    rows = np.frombuffer(data, np.uint8).reshape(8, 34)
    assert (rows[:, 2:].view(np.int8) == codes.reshape(8, 32)).all()
    assert (rows[:, :2].copy().view(np.float16)[:, 0] == factors.reshape(8)).all()


def test_a_code_that_four_bits_cannot_hold_is_no_user_error():
    with pytest.raises(AssertionError, match="8"):
        blocks(np.full((1, 32), 8, np.int8), np.ones((1, 1), np.float16), "q4_0")
