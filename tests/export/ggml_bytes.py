"""whisper.cpp's model file, read in numpy: the test's own word on the format.

Written from `whisper_model_load` and `dequantize_row_q4_0`, `_q8_0` of ggml-quants.c.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KINDS = {0: "f32", 1: "f16", 2: "q4_0", 8: "q8_0"}
SIZES = (
    "n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx",
    "n_text_state", "n_text_head", "n_text_layer", "n_mels", "ftype",
)  # fmt: skip


@dataclass
class GgmlFile:
    """`tensors` float32 in numpy's order of dimensions, `kinds` by name."""

    sizes: dict[str, int]
    filters: np.ndarray
    tokens: list[bytes]
    tensors: dict[str, np.ndarray]
    kinds: dict[str, str]


def read_ggml(path: Path) -> GgmlFile:
    data, at = path.read_bytes(), 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        assert at <= len(data)
        return data[at - count : at]

    def numbers(count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}i", take(4 * count))

    assert take(4) == b"lmgg"
    sizes = dict(zip(SIZES, numbers(11), strict=True))
    rows, columns = numbers(2)
    filters = np.frombuffer(take(4 * rows * columns), "<f4").reshape(rows, columns)
    tokens = [take(numbers(1)[0]) for _ in range(numbers(1)[0])]
    found = GgmlFile(sizes, filters, tokens, {}, {})
    while at < len(data):
        rank, length, kind = numbers(3)
        shape = numbers(rank)[::-1]
        name = take(length).decode()
        count = int(np.prod(shape))
        found.kinds[name] = KINDS[kind]
        found.tensors[name] = VALUES[KINDS[kind]](take, count).reshape(shape)
    return found


def _q8_0(take, count):
    rows = np.frombuffer(take(count // 32 * 34), np.uint8).reshape(-1, 34)
    factors = rows[:, :2].copy().view("<f2").astype(np.float32)
    return rows[:, 2:].view(np.int8) * factors


def _q4_0(take, count):
    rows = np.frombuffer(take(count // 32 * 18), np.uint8).reshape(-1, 18)
    factors = rows[:, :2].copy().view("<f2").astype(np.float32)
    low, high = rows[:, 2:] & 0x0F, rows[:, 2:] >> 4
    return (np.concatenate([low, high], axis=1).astype(np.float32) - 8) * factors


VALUES = {
    "f32": lambda take, count: np.frombuffer(take(4 * count), "<f4"),
    "f16": lambda take, count: np.frombuffer(take(2 * count), "<f2").astype(np.float32),
    "q8_0": _q8_0,
    "q4_0": _q4_0,
}
