"""Inspection of whole folders: bytes that add up, and each tampering found by name."""

import shutil

import onnx
import pytest
from onnx import helper

from tests.infer.onnx_folders import onnx_folder, ptq_folder
from whisper_qat.cli import command
from whisper_qat.errors import GateError, InputError
from whisper_qat.export.onnx.external_data import read_tensor
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.model.plan.plan import PLAN_NAME
from whisper_qat.runs.folders import read_json, read_manifest, write_json
from whisper_qat.tasks.inspect_model import UNCHECKED, InspectModelConfig, inspect, list_faults, run

FC1 = "model.encoder.layers.0.fc1"
FC2 = "model.encoder.layers.0.fc2"
TABLE = "model.decoder.embed_tokens"


@pytest.fixture(scope="module")
def int4(tiny_whisper, tmp_path_factory):
    return ptq_folder(tiny_whisper, tmp_path_factory.mktemp("inspect") / "int4", "int4")


@pytest.fixture
def folder(int4, tmp_path):
    return shutil.copytree(int4, tmp_path / "copy")


@pytest.fixture
def encoder(folder):
    """The encoder's graph of `folder`; calling it writes what was changed."""
    return Tampering(folder / ENCODER_FILE)


class Tampering:
    def __init__(self, path):
        self.path = path
        self.model = onnx.load(str(path), load_external_data=False)
        self.graph = self.model.graph

    def node(self, name):
        return next(node for node in self.graph.node if node.name == name)

    def tensor(self, name):
        return next(tensor for tensor in self.graph.initializer if tensor.name == name)

    def save(self):
        self.path.write_bytes(self.model.SerializeToString())


def set_level(node, level):
    next(a for a in node.attribute if a.name == "accuracy_level").i = level


def in_float(tampered, name):
    """The node becomes a float MatMul of the same shape."""
    node = tampered.node(name)
    size = {a.name: a.i for a in node.attribute}
    weight = helper.make_tensor("w", 1, [size["K"], size["N"]], [0.5] * size["K"] * size["N"])
    tampered.graph.initializer.append(weight)
    node.CopyFrom(helper.make_node("MatMul", [node.input[0], "w"], node.output, name))


def check(folder):
    run(InspectModelConfig(folder=folder))


def test_an_untouched_folder_passes(int4, capsys, tmp_path):
    run(InspectModelConfig(folder=int4, json=tmp_path / "out.json"))
    printed = capsys.readouterr().out
    assert "37 planned layers: all kernels as planned" in printed
    report = read_json(tmp_path / "out.json")
    assert report == inspect(int4)
    assert report["faults"] == []


def test_bytes_add_up(int4):
    report = inspect(int4)
    manifest = read_manifest(int4)
    assert sum(report["kinds"].values()) == report["total_bytes"] == manifest["model_bytes"]
    assert report["share_of_fp32"] == manifest["model_bytes"] / manifest["fp32_bytes"]
    parts = [part["bytes"] for layer in report["layers"] for part in layer["parts"].values()]
    assert sum(parts) == sum(
        size for kind, size in report["kinds"].items()
        if not kind.startswith(("constants", "graph", "padding"))
    )  # fmt: skip


def test_each_layer_says_how_it_is_stored_and_run(int4):
    layers = {layer["name"]: layer for layer in inspect(int4)["layers"]}
    fc1 = layers[FC1]
    assert (fc1["scheme"], fc1["bits"], fc1["block_size"]) == ("block-int4-32-f16", 4, 32)
    assert fc1["parts"]["codes"] == {"bytes": 128 * 64 // 2, "dtype": "uint8"}
    assert fc1["parts"]["scales"] == {"bytes": 128 * 2 * 2, "dtype": "float16"}
    assert fc1["parts"]["bias"] == {"bytes": 512, "dtype": "float32"}
    assert fc1["kernels"] == ["MatMulNBits bits=4 block_size=32 accuracy_level=4"]
    assert layers[TABLE]["kernels"] == [
        "GatherBlockQuantized bits=8 block_size=32",
        "MatMulNBits bits=8 block_size=32 accuracy_level=4",
    ]
    conv = layers["model.encoder.conv1"]
    assert (conv["scheme"], conv["kernels"]) == ("float16", ["Conv"])
    assert conv["parts"]["weight"] == {"bytes": 64 * 80 * 3 * 2, "dtype": "float16"}
    assert layers["model.encoder.layer_norm"]["scheme"] == "float"


def test_float16_is_cast_once_at_load(int4):
    """The one Cast left is of the input use_cache_branch."""
    graphs = inspect(int4)["graphs"]
    assert graphs[DECODER_FILE]["moves"]["Cast"] == ["Cast_1"]
    assert graphs[ENCODER_FILE]["moves"]["Cast"] == []


def test_another_accuracy_level_is_found(folder, encoder, capsys):
    set_level(encoder.node(FC1), 1)
    encoder.save()
    with pytest.raises(GateError, match=f"copy: {FC1}: planned block-int4-32-f16 .*, runs .*=1$"):
        check(folder)
    assert "37 planned layers: 1 fault\n" in capsys.readouterr().out


def test_a_float_product_is_found(folder, encoder):
    in_float(encoder, FC1)
    encoder.save()
    with pytest.raises(GateError, match=f"{FC1}: planned block-int4-32-f16 .*, runs MatMul$"):
        check(folder)


def test_another_name_is_a_missing_node_and_an_unplanned_one(folder, encoder):
    encoder.node(FC1).name = "renamed"
    encoder.save()
    with pytest.raises(
        GateError, match=f"{FC1}: .* runs no node of that name; renamed: not in the plan, runs Mat"
    ):
        check(folder)


def test_a_quantized_node_planned_float_is_found(folder):
    plan = read_json(folder / PLAN_NAME)
    next(entry for entry in plan["layers"] if entry["name"] == FC1)["scheme"] = "float"
    write_json(folder / PLAN_NAME, plan)
    with pytest.raises(GateError, match=f"{FC1}: planned float .*, runs MatMulNBits bits=4"):
        check(folder)


def test_many_faults_are_named_and_counted(folder, encoder):
    for node in encoder.graph.node:
        if node.op_type == "MatMulNBits":
            set_level(node, 0)
    encoder.save()
    with pytest.raises(GateError, match=r"layers.0.*_proj: [^;]*; [^;]*; [^;]*; and 9 more$"):
        check(folder)
    assert list_faults(["a", "b", "c"]) == "a; b; c"


def test_codes_stored_twice_are_reported(folder, encoder, capsys):
    """fc2 gets fc1's codes as a tensor of its own: 4,096 bytes too many, and no gate."""
    codes = read_tensor(encoder.tensor(f"{FC1}.weight_q"), folder)
    copy = onnx.numpy_helper.from_array(codes.reshape(64, 4, 16), f"{FC2}.weight_q")
    encoder.tensor(f"{FC2}.weight_q").CopyFrom(copy)
    encoder.save()
    check(folder)
    printed = capsys.readouterr().out
    assert "stored more than once: 4,096 bytes" in printed
    assert f"{ENCODER_FILE}: {FC1}.weight_q, {ENCODER_FILE}: {FC2}.weight_q" in printed


def test_a_float_folder_is_checked_too(tiny_whisper, tmp_path, capsys):
    folder = onnx_folder(tiny_whisper, tmp_path / "float")
    check(folder)
    assert "0 planned layers: all kernels as planned" in capsys.readouterr().out


def test_without_a_plan_there_is_nothing_to_check(folder, capsys):
    (folder / PLAN_NAME).unlink()
    check(folder)
    assert UNCHECKED in capsys.readouterr().out


def test_folders_that_are_none_are_named(int4, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(InputError, match="unfinished or not one of ours"):
        check(tmp_path)


def test_the_command_takes_the_folder_as_a_word(int4, folder, encoder, capsys):
    assert command.main(InspectModelConfig, run, [str(int4)]) == 0
    set_level(encoder.node(FC1), 1)
    encoder.save()
    with pytest.raises(SystemExit) as stopped:
        command.main(InspectModelConfig, run, [str(folder)])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {folder}: {FC1}: planned")


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(("quantization_type", "limit"), [("int4", 0.21), ("int8", 0.275)])
def test_whisper_base_is_as_small_as_promised(whisper_base, tmp_path, quantization_type, limit):
    report = inspect(ptq_folder(whisper_base, tmp_path / "onnx", quantization_type))
    assert report["share_of_fp32"] <= limit
    assert report["faults"] == report["duplicates"] == []
    assert "weights float, float32" not in report["kinds"]
