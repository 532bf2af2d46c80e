"""The inventory: every byte has a name, and what is stored twice is found."""

import numpy as np
import onnx
import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.folder import model_bytes
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.inventory import duplicates, graph_files, take, wasted_bytes
from whisper_qat.model.onnx_files import DECODER_FILE

LARGE = np.arange(8192, dtype=np.float32)  # beside the graph
SMALL = np.arange(512, dtype=np.float32)  # inside it


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return cases.write(cases.tiny_whisper(256), tmp_path_factory.mktemp("onnx"), cases.INT4)


def save(folder, arrays, name="a.onnx"):
    with ExternalData(folder / f"{name}_data") as data:
        g = Graph("g", data)
        for key, array in arrays.items():
            g.initializer(key, array)
        g.save(folder / name)
    return folder


def test_all_bytes_are_accounted_for(written):
    found = take(written)
    tensors = sum(tensor.bytes for tensor in found.tensors)
    assert tensors + found.graph_bytes + found.padding_bytes == found.total == model_bytes(written)
    assert found.padding_bytes > 0 and found.graph_bytes > 0
    assert set(found.files) == {p.name for p in written.iterdir()}


def test_padding_is_what_lies_between_tensors(tmp_path):
    arrays = {"x": LARGE, "y": LARGE[:-1] + 1}  # y ends short of its page
    assert take(save(tmp_path, arrays)).padding_bytes == 0
    arrays["z"] = LARGE + 2
    assert take(save(tmp_path, arrays)).padding_bytes == 4


def test_tensors_know_their_layer_and_part(written):
    found = {(tensor.layer, tensor.part): tensor for tensor in take(written).tensors}
    fc1 = "model.encoder.layers.0.fc1"
    assert found[fc1, "codes"].bytes == 96 * 256 // 2
    assert found[fc1, "scales"].bytes == 96 * 256 // 16 * 4
    assert found[fc1, "scales"].dtype == "float32"
    assert found[fc1, "bias"].bytes == 96 * 4
    assert found["model.encoder.conv1", "weight"].bytes == 256 * 8 * 3 * 4
    assert {t.part for t in found.values()} == {"codes", "scales", "bias", "weight", "constant"}


def test_branches_are_counted(tmp_path):
    inner = onnx.helper.make_graph(
        [], "branch", [], [], [onnx.numpy_helper.from_array(SMALL, "in.weight")]
    )
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []))
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    assert [t.name for t in take(tmp_path).tensors] == ["in.weight", "in.weight"]


@pytest.mark.parametrize("array", [SMALL, LARGE], ids=["inline", "beside"])
def test_the_same_bytes_under_two_names_are_found(tmp_path, array):
    save(tmp_path, {"x": array, "y": array, "z": array + 1})
    (group,) = duplicates(take(tmp_path).tensors)
    assert [tensor.name for tensor in group] == ["x", "y"]
    assert wasted_bytes(group) == array.nbytes


def test_the_same_bytes_in_two_files_are_found(tmp_path):
    save(tmp_path, {"x": LARGE}, "a.onnx")
    save(tmp_path, {"x": LARGE}, "b.onnx")
    (group,) = duplicates(take(tmp_path).tensors)
    assert [tensor.file for tensor in group] == ["a.onnx", "b.onnx"]


def test_largest_waste_comes_first(tmp_path):
    save(tmp_path, {"a": SMALL, "b": SMALL, "x": LARGE, "y": LARGE})
    assert [group[0].name for group in duplicates(take(tmp_path).tensors)] == ["x", "a"]


def test_one_place_under_two_names_is_stored_once(tmp_path):
    save(tmp_path, {"x": LARGE})
    model = onnx.load(str(tmp_path / "a.onnx"), load_external_data=False)
    other = model.graph.initializer.add()
    other.CopyFrom(model.graph.initializer[0])
    other.name = "y"
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    found = take(tmp_path)
    assert len(found.tensors) == 2 and found.padding_bytes == 0
    assert duplicates(found.tensors) == []


def test_our_graphs_store_nothing_twice(written):
    assert duplicates(take(written).tensors) == []


def test_the_layout_of_transformers_js_is_found(tmp_path):
    (tmp_path / "onnx").mkdir()
    save(tmp_path / "onnx", {"x": LARGE})
    assert graph_files(tmp_path) == [tmp_path / "onnx" / "a.onnx"]
    assert take(tmp_path).tensors[0].bytes == LARGE.nbytes


def test_a_folder_without_graphs_is_named(tmp_path):
    with pytest.raises(InputError, match="no .onnx file there; give a folder written by convert"):
        take(tmp_path)


def test_a_truncated_data_file_is_named(tmp_path):
    cases.write(cases.tiny_whisper(256), tmp_path, cases.INT4)
    data = tmp_path / f"{DECODER_FILE}_data"
    data.write_bytes(data.read_bytes()[:-4096])
    with pytest.raises(InputError, match=r"_data: truncated; it ends before 'model"):
        take(tmp_path)
