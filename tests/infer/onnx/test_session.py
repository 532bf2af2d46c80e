"""Sessions: pinned options, and files that cannot be loaded."""

import onnx
import pytest

from whisper_qat.errors import InputError
from whisper_qat.infer.onnx.session import PINNED, session, session_options


def test_options_are_pinned():
    options = session_options(2)
    assert options.intra_op_num_threads == 2
    for key, value in PINNED.items():
        assert options.get_session_config_entry(key) == value


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="decoder.onnx: no such file"):
        session(tmp_path / "decoder.onnx")


def test_damaged_file_is_named(tmp_path):
    path = tmp_path / "decoder.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match="decoder.onnx: onnxruntime cannot load it"):
        session(path)


def test_the_optimized_graph_is_saved_by_the_same_session(tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[n] x) => (float[n] y) '
        "{ a = Identity(x) y = Relu(a) }"
    )
    session(model.SerializeToString(), 1, save_optimized=tmp_path / "a.onnx")
    saved = onnx.load(str(tmp_path / "a.onnx"))
    assert [node.op_type for node in saved.graph.node] == ["Relu"]
