"""Weights beside the graph: each tensor is appended to one .onnx_data file as soon as it is known.

A graph of v0.2's shape holds 3 GB of floats; streaming keeps one tensor in memory at a time, where
`onnx.save(save_as_external_data=True)` holds the whole model twice. Small tensors stay in the
.onnx file: a page of padding for a bias is waste.
"""

from pathlib import Path
from types import TracebackType

import numpy as np
import onnx

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
