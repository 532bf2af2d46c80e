"""Reads and writes CTranslate2's ``model.bin`` (named tensors, then aliases), of any model.

It is parsed here because the ctranslate2 package runs models but does not expose their variables.
Layout (little endian, from ``ctranslate2/specs/model_spec.py`` and ``src/models/model.cc``): u32
binary version, string spec name, u32 spec revision, u32 count, then per variable: string name, u8
rank, u32 dimensions, u8 type id, u32 number of bytes, the bytes; u32 count of aliases, then per
alias its name and the variable it stands for. A string is a u16 length, the bytes and a zero byte
that the length includes. Versions 4 to 6 share this layout.
"""

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import torch
from torch import Tensor

from whisper_qat.errors import InputError

VERSIONS = range(4, 7)
DTYPES = (  # by type id
    torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16,
)  # fmt: skip
SCALE = "_scale"


@dataclass(frozen=True, kw_only=True)
class Ct2File:
    """Content of a model.bin; ``variables`` holds each alias too, as the same tensor."""

    spec: str
    revision: int
    variables: dict[str, Tensor]


def read_file(path: Path) -> Ct2File:
    """Read all variables of ``path`` in their stored dtypes; InputError if it is incomplete.

    A weight under an alias keeps the quantization scale of the weight it stands for.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a folder with CTranslate2's model.bin")
    with open(path, "rb") as file:
        return _Reader(file, path).read()


def write_file(file: Ct2File, path: Path, *, aliases: Mapping[str, str]) -> None:
    """Write `file` as `path`: variables by name as CTranslate2 does, then `aliases` to them."""
    with open(path, "wb") as out:
        out.write(struct.pack("<I", VERSIONS[-1]) + _text(file.spec))
        out.write(struct.pack("<II", file.revision, len(file.variables)))
        for name, value in sorted(file.variables.items()):
            shape = struct.pack(f"<B{value.dim()}I", value.dim(), *value.shape)
            data = value.contiguous().reshape(-1).view(torch.uint8).numpy()
            kind = struct.pack("<BI", DTYPES.index(value.dtype), data.nbytes)
            out.write(_text(name) + shape + kind)
            out.write(data)
        out.write(struct.pack("<I", len(aliases)))
        for alias, name in sorted(aliases.items()):
            out.write(_text(alias) + _text(name))


def _text(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


class _Reader:
    """Parses an open file; every length it reads is checked against the bytes that are left."""

    def __init__(self, file: BufferedReader, path: Path) -> None:
        self.file, self.path = file, path
        self.size = os.fstat(file.fileno()).st_size

    def read(self) -> Ct2File:
        self.check_version()
        spec, revision = self.text(), self.number("I")
        variables = dict(self.variable() for _ in range(self.number("I")))
        aliases = [(self.text(), self.text()) for _ in range(self.number("I"))]
        if self.file.tell() != self.size:
            raise InputError(f"{self.path}: {self.size - self.file.tell()} bytes after the end")
        for alias, name in aliases:
            if name not in variables:
                raise InputError(f"{self.path}: alias {alias!r} of an unknown variable {name!r}")
            variables[alias] = variables[name]
            if name + SCALE in variables:
                variables[alias + SCALE] = variables[name + SCALE]
        return Ct2File(spec=spec, revision=revision, variables=variables)

    def check_version(self) -> None:
        """Check the version at the start, which also rejects files of any other format."""
        start = bytes(self.take(min(4, self.size)))
        if int.from_bytes(start, "little") not in VERSIONS:
            raise InputError(
                f"{self.path}: not a CTranslate2 model of binary version "
                f"{VERSIONS[0]} to {VERSIONS[-1]} (it starts with {start!r})"
            )

    def variable(self) -> tuple[str, Tensor]:
        name = self.text()
        shape = [self.number("I") for _ in range(self.number("B"))]
        type_id, num_bytes = self.number("B"), self.number("I")
        if type_id >= len(DTYPES):
            raise InputError(f"{self.path}: {name}: unknown type id {type_id}")
        dtype = DTYPES[type_id]
        if num_bytes != math.prod(shape) * dtype.itemsize:
            raise InputError(f"{self.path}: {name}: {num_bytes} bytes for {dtype} {shape}")
        data = self.take(num_bytes)
        if not data:
            return name, torch.zeros(shape, dtype=dtype)
        return name, torch.frombuffer(data, dtype=dtype).reshape(shape)

    def number(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]

    def text(self) -> str:
        at = self.file.tell()
        data = self.take(self.number("H"))
        try:
            if data[-1:] == b"\0":
                return data[:-1].decode("utf-8")
        except UnicodeDecodeError:
            pass
        raise InputError(f"{self.path}: no name at byte {at}; the file is damaged")

    def take(self, count: int) -> bytearray:
        """Read the next ``count`` bytes, into a writable buffer that torch can share."""
        at = self.file.tell()
        if at + count > self.size:
            raise InputError(
                f"{self.path}: truncated: {count} bytes wanted at byte {at} of {self.size}"
            )
        data = bytearray(count)
        self.file.readinto(data)
        return data
