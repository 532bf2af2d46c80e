"""Low-level writer of whisper.cpp's model file: header, mel filters, vocabulary, named tensors.

Knows the file format only, nothing of Whisper's layers.

Layout (little endian, from whisper.cpp's `whisper_model_load` and `models/convert-h5-to-ggml.py`):
u32 magic, eleven i32 of sizes with the file's type last, mel filters as two i32 and float32, i32
count and the tokens as i32 length and bytes, then per tensor: i32 rank, i32 length of the name,
i32 type, the dimensions from the innermost to the outermost as i32, the name, the bytes.
Blocks (ggml-common.h): 32 weights with one float16 factor d. q8_0 holds d and 32 int8; q4_0 holds
d and 16 bytes, weight i in the low half of byte i, weight 16 + i in its high half, 8 meaning 0.
"""

import struct
from dataclasses import astuple, dataclass
from io import BufferedWriter

import numpy as np

MAGIC = 0x67676D6C
BLOCK = 32
QUANTIZATION_VERSION = 2  # version of ggml's block formats; stored as thousands in the file's type
FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7}  # enum ggml_ftype
TENSOR_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}  # enum ggml_type
Q8_0 = np.dtype([("d", "<f2"), ("qs", "i1", (BLOCK,))])
Q4_0 = np.dtype([("d", "<f2"), ("qs", "u1", (BLOCK // 2,))])


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers of the header, in file order."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int
    n_mels: int


def write_header(
    file: BufferedWriter, sizes: Sizes, kind: str, filters: np.ndarray, tokens: list[bytes]
) -> None:
    """Write all that precedes the tensors; `filters` [n_mels, bins]."""
    file_type = FILE_TYPES[kind]
    if kind in ("q4_0", "q8_0"):
        file_type += 1000 * QUANTIZATION_VERSION
    file.write(struct.pack("<I11i", MAGIC, *astuple(sizes), file_type))
    file.write(struct.pack("<2i", *filters.shape))
    file.write(filters.astype("<f4").tobytes())
    file.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        file.write(struct.pack("<i", len(token)) + token)


def write_tensor(
    file: BufferedWriter, name: str, kind: str, shape: tuple[int, ...], data: bytes
) -> None:
    """Write one tensor of type `kind`; `shape` counts weights, outermost dimension first."""
    encoded = name.encode()
    dimensions = shape[::-1]
    file.write(struct.pack("<3i", len(shape), len(encoded), TENSOR_TYPES[kind]))
    file.write(struct.pack(f"<{len(shape)}i", *dimensions) + encoded + data)


def blocks(codes: np.ndarray, factors: np.ndarray, kind: str) -> bytes:
    """Pack int8 `codes` [N, K] around 0 and float16 `factors` [N, K / 32] as q8_0 or q4_0."""
    parts = codes.reshape(*factors.shape, BLOCK)
    out = np.zeros(factors.shape, Q8_0 if kind == "q8_0" else Q4_0)
    out["d"] = factors
    if kind == "q8_0":
        out["qs"] = parts
    else:
        assert parts.min() >= -8 and parts.max() <= 7, (parts.min(), parts.max())
        shifted = (parts + 8).astype(np.uint8)
        out["qs"] = shifted[..., : BLOCK // 2] | shifted[..., BLOCK // 2 :] << 4
    return out.tobytes()
