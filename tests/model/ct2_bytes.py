"""CTranslate2's model.bin, written and read in numpy: the test's own word on the format."""

import struct
from pathlib import Path

import numpy as np

DTYPES = ("float32", "int8", "int16", "int32", "float16")  # by type id; 5 is bfloat16
BFLOAT16 = 5


def write_model(
    path: Path,
    variables: dict[str, np.ndarray],
    aliases: dict[str, str] | None = None,
    *,
    version: int = 6,
    spec: str = "WhisperSpec",
    bfloat16: bool = False,
) -> None:
    """``bfloat16``: int16 arrays hold the bits of bfloat16 numbers, and are declared as such."""
    parts = [struct.pack("<I", version), _string(spec), struct.pack("<II", 3, len(variables))]
    for name, value in sorted(variables.items()):
        value = np.asarray(value)
        kind = BFLOAT16 if bfloat16 and value.ndim else DTYPES.index(value.dtype.name)
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        head = _string(name) + shape + struct.pack("<BI", kind, value.nbytes)
        parts += [head, value.tobytes()]
    parts.append(struct.pack("<I", len(aliases or {})))
    parts += [_string(a) + _string(b) for a, b in (aliases or {}).items()]
    path.write_bytes(b"".join(parts))


def _string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def read_variables(path: Path) -> dict[str, np.ndarray]:
    """Variables (without aliases) as read-only views of the file's bytes."""
    data, at = path.read_bytes(), 0

    def take(kind: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{kind}", data, at)
        at += struct.calcsize(f"<{kind}")
        return value

    def string() -> str:
        nonlocal at
        length = take("H")
        at += length
        return data[at - length : at - 1].decode()

    assert (take("I"), string(), take("I")) == (6, "WhisperSpec", 3)
    variables = {}
    for _ in range(take("I")):
        name, shape = string(), [take("I") for _ in range(take("B"))]
        dtype, size = DTYPES[take("B")], take("I")
        variables[name] = np.frombuffer(data[at : at + size], dtype).reshape(shape)
        at += size
    return variables
