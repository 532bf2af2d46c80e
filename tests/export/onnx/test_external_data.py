"""Small tensors inline, large ones at page offsets of the data file."""

import numpy as np
import onnx
import pytest

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import (
    INLINE_BYTES,
    PAGE_BYTES,
    ExternalData,
    read_tensor,
)


def test_small_tensor_stays_inline(tmp_path):
    with ExternalData(tmp_path / "m.onnx_data") as data:
        proto = data.tensor("bias", np.arange(4, dtype=np.float32))
    assert proto.data_location == onnx.TensorProto.DEFAULT
    assert (onnx.numpy_helper.to_array(proto) == [0, 1, 2, 3]).all()
    assert (tmp_path / "m.onnx_data").stat().st_size == 0


def test_large_tensors_are_read_back_from_page_offsets(tmp_path):
    large = np.arange(INLINE_BYTES // 4 + 1, dtype=np.float32)
    codes = np.arange(INLINE_BYTES * 2, dtype=np.uint8).reshape(2, -1).T  # not contiguous
    with ExternalData(tmp_path / "m.onnx_data") as data:
        protos = [data.tensor("large", large), data.tensor("codes", codes)]
    for proto, array in zip(protos, (large, codes), strict=True):
        entries = {entry.key: entry.value for entry in proto.external_data}
        assert int(entries["offset"]) % PAGE_BYTES == 0
        assert entries["location"] == "m.onnx_data"
        assert (onnx.numpy_helper.to_array(proto, base_dir=str(tmp_path)) == array).all()
        read = read_tensor(proto, tmp_path)
        assert read.dtype == array.dtype
        assert (read == array).all()
        assert read.flags.writeable  # torch.from_numpy warns otherwise


@pytest.fixture
def written(tmp_path):
    with ExternalData(tmp_path / "m.onnx_data") as data:
        return data.tensor("w", np.zeros(INLINE_BYTES, dtype=np.float32))


def test_hard_links_are_read(written, tmp_path):
    (tmp_path / "link").hardlink_to(tmp_path / "m.onnx_data")
    assert read_tensor(written, tmp_path).shape == (INLINE_BYTES,)


def test_missing_data_file(written, tmp_path):
    (tmp_path / "m.onnx_data").unlink()
    with pytest.raises(InputError, match=r"no data file 'm\.onnx_data' beside the graph"):
        read_tensor(written, tmp_path)


def test_data_file_elsewhere(written, tmp_path):
    (tmp_path / "sub").mkdir()
    written.external_data[0].value = "../m.onnx_data"
    with pytest.raises(InputError, match="beside the graph"):
        read_tensor(written, tmp_path / "sub")


def test_truncated_data_file(written, tmp_path):
    with open(tmp_path / "m.onnx_data", "r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match="truncated; it ends before 'w'"):
        read_tensor(written, tmp_path)
