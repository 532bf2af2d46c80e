"""Small tensors inline, large ones at page offsets of the data file."""

import numpy as np
import onnx

from whisper_qat.export.external_data import INLINE_BYTES, PAGE_BYTES, ExternalData


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
