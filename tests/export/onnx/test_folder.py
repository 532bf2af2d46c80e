"""The ONNX folder: complete, described, and never overwritten by mistake."""

import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import (
    check_context,
    checkpoint_folder,
    is_up_to_date,
    load_checkpoint,
    with_context,
    write_onnx_folder,
)
from whisper_qat.runs.folders import read_json, read_manifest, write_json

INPUTS = {"model": "abc"}


@pytest.fixture
def checkpoint(tmp_path):
    return cases.save_checkpoint(cases.tiny_whisper(), tmp_path / "base")


@pytest.fixture
def output(checkpoint, tmp_path):
    final = load_checkpoint(checkpoint, "base")
    folder = tmp_path / "onnx"
    write_onnx_folder(final, checkpoint, folder, inputs=INPUTS, config={"block_size": 32})
    return folder


def test_everything_that_belongs_to_a_model_is_there(output):
    names = {path.name for path in output.iterdir()}
    graphs = {"encoder_model.onnx", "decoder_model_merged.onnx"}
    companions = {"config.json", "generation_config.json", "tokenizer.json"}
    ours = {"preprocessor_config.json", "whisper_qat.json", "manifest.json"}
    engine = {"step.onnx", "cross.onnx"}  # on the merged decoder's data file
    data = {f"{name}_data" for name in graphs}
    assert names == graphs | data | engine | companions | ours


def test_the_manifest_states_method_and_sizes(output):
    manifest = read_manifest(output)
    assert (manifest["kind"], manifest["method"]) == ("onnx", "float")
    parameters = sum(p.numel() for p in cases.tiny_whisper().parameters())
    assert manifest["fp32_bytes"] == 4 * parameters
    onnx = sum(p.stat().st_size for p in output.iterdir() if ".onnx" in p.name)
    assert manifest["model_bytes"] == onnx
    assert read_json(output / "whisper_qat.json")["base_model"]["name"] == "base"


def test_same_inputs_and_settings_are_up_to_date(output, tmp_path):
    assert is_up_to_date(output, INPUTS, {"block_size": 32})
    assert not is_up_to_date(tmp_path / "new", INPUTS, {})


def test_other_settings_are_refused(output):
    with pytest.raises(InputError, match=r"other settings \(block_size=32, now 64\); give another"):
        is_up_to_date(output, INPUTS, {"block_size": 64})


def test_another_checkpoint_is_refused(output):
    with pytest.raises(InputError, match="made from another checkpoint"):
        is_up_to_date(output, {"model": "def"}, {"block_size": 32})


def test_a_folder_of_another_kind_is_refused(output):
    manifest = read_json(output / "manifest.json") | {"kind": "data"}
    write_json(output / "manifest.json", manifest)
    with pytest.raises(InputError, match="is a data folder"):
        is_up_to_date(output, INPUTS, {})


def test_a_users_own_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a finished folder"):
        is_up_to_date(tmp_path, INPUTS, {})


def test_a_failure_leaves_nothing(checkpoint, tmp_path):
    final = load_checkpoint(checkpoint, "base")
    (checkpoint / "config.json").unlink()
    with pytest.raises(InputError, match="no such file"):
        write_onnx_folder(final, checkpoint, tmp_path / "onnx", inputs=INPUTS, config={})
    assert not (tmp_path / "onnx").exists()


def test_context_override(checkpoint):
    final = load_checkpoint(checkpoint, "base")
    assert with_context(final, None, None).info.audio_context["mode"] == "full"
    dynamic = with_context(final, "dynamic", 2.0).info.audio_context
    assert dynamic == {"mode": "dynamic", "margin_s": 2.0}


@pytest.mark.parametrize(
    ("mode", "margin", "message"),
    [("full", 1.0, "only with --audio_context dynamic"), ("dynamic", 31.0, "between 0 and 30")],
)
def test_bad_margin(mode, margin, message):
    with pytest.raises(InputError, match=message):
        check_context(mode, margin)


def test_a_file_is_no_checkpoint(tmp_path):
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(InputError, match="is a file"):
        checkpoint_folder(str(tmp_path / "model.bin"), tmp_path / "out")


def test_graphs_of_an_earlier_version_are_refused(output):
    manifest = read_json(output / "manifest.json")
    del manifest["graph_version"]
    write_json(output / "manifest.json", manifest)
    with pytest.raises(InputError, match=r"earlier version \(graph_version None, now 3\); give an"):
        is_up_to_date(output, manifest["inputs"], manifest["config"])
