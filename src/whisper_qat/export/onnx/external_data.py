"""External weights: each tensor is appended to the .onnx_data file as soon as it is computed.

A graph the size of v0.2 holds 3 GB of floats; streaming keeps one tensor in memory at a time, where
`onnx.save(save_as_external_data=True)` holds the whole model twice. Small tensors stay in the
.onnx file, as padding a bias to a whole page would be waste.
"""

from pathlib import Path
from types import TracebackType

import numpy as np
import onnx

from whisper_qat.errors import InputError

INLINE_BYTES = 16 * 1024
PAGE_BYTES = 4096  # onnx.proto: offsets should be page multiples, so that readers can mmap


class ExternalData:
    """The append-only data file of one model; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")

    def tensor(self, name: str, array: np.ndarray) -> onnx.TensorProto:
        """A TensorProto for `array` (any shape): inline when small, else written to the file."""
        array = np.asarray(array, order="C")  # ascontiguousarray would make scalars 1-D
        if array.nbytes < INLINE_BYTES:
            return onnx.numpy_helper.from_array(array, name)
        offset = self._append(array)
        proto = onnx.TensorProto(name=name, dims=array.shape)
        proto.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        proto.data_location = onnx.TensorProto.EXTERNAL
        entries = {"location": self.path.name, "offset": offset, "length": array.nbytes}
        for key, value in entries.items():
            proto.external_data.add(key=key, value=str(value))
        return proto

    def _append(self, array: np.ndarray) -> int:
        self._file.write(bytes(-self._file.tell() % PAGE_BYTES))
        offset = self._file.tell()
        self._file.write(array.data)
        return offset

    def __enter__(self) -> "ExternalData":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_tensor(proto: onnx.TensorProto, folder: Path) -> np.ndarray:
    """The values of `proto`, writable; InputError when its data file is incomplete.

    The data file lies in `folder`. `onnx` itself refuses data files that have hard links, as
    copies of a folder may.
    """
    if proto.data_location != onnx.TensorProto.EXTERNAL:
        return np.array(onnx.numpy_helper.to_array(proto))
    entries = {entry.key: entry.value for entry in proto.external_data}
    path = folder / entries["location"]
    if path.parent != folder or not path.is_file():
        raise InputError(f"{folder}: no data file {entries['location']!r} beside the graph")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
    offset, length = int(entries["offset"]), int(entries["length"])
    if path.stat().st_size < offset + length:
        raise InputError(f"{path}: truncated; it ends before {proto.name!r}")
    array = np.fromfile(path, dtype=dtype, count=length // dtype.itemsize, offset=offset)
    return array.reshape(proto.dims)
