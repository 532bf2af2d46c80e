"""Loading: float32 whatever the checkpoint's dtype, and one line for each way it can be wrong."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.load import (
    check_checkpoint,
    fingerprint,
    load_whisper,
    resolve_checkpoint,
)


@pytest.fixture
def folder(tiny_whisper, tmp_path):
    shutil.copytree(tiny_whisper, tmp_path / "model")
    return tmp_path / "model"


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_parameters_are_float32(tiny_whisper, tmp_path):
    model = load_whisper(tiny_whisper)
    model.half().save_pretrained(tmp_path / "half")
    for name in ("tokenizer.json", "preprocessor_config.json", "generation_config.json"):
        shutil.copy(tiny_whisper / name, tmp_path / "half" / name)
    loaded = load_whisper(tmp_path / "half")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32} and not loaded.training


def test_the_fingerprint_is_of_the_weights(folder):
    before = fingerprint(folder)
    edit(folder / "generation_config.json", max_length=7)
    assert fingerprint(folder) == before
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert fingerprint(folder) != before


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "preprocessor_config.json", "generation_config.json"]
)
def test_a_missing_part_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"model: no {name}; copy it from the checkpoint"):
        load_whisper(folder)


def test_what_is_not_a_whisper(folder):
    edit(folder / "config.json", model_type="wav2vec2")
    with pytest.raises(InputError, match="model_type 'wav2vec2', expected 'whisper'"):
        load_whisper(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="no config.json; expected a transformers Whisper"):
        load_whisper(folder)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model: no \*\.safetensors weights"):
        load_whisper(folder)
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(
        InputError, match=r"only pickled weights \(pytorch_model.bin\); convert the"
    ):
        load_whisper(folder)


def test_damaged_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"model: weights cannot be read \("):
        load_whisper(folder)


def test_incomplete_weights_are_not_filled_with_random_ones(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.encoder.layers.0.fc1.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=r"incomplete \(no tensor 'model.encoder.layers.0.fc1.weight'\)"
    ):
        load_whisper(folder)


def test_weights_of_another_size_are_refused(folder):
    edit(folder / "config.json", encoder_ffn_dim=256)
    with pytest.raises(InputError, match=r"model: weights cannot be read \(") as raised:
        load_whisper(folder)
    assert "\n" not in str(raised.value)


def test_features_and_model_must_agree_on_mels(folder):
    edit(folder / "preprocessor_config.json", feature_size=128)
    with pytest.raises(InputError, match=r"features have 128 mel bins .*, the model 80"):
        check_checkpoint(folder)


def test_tokenizer_and_model_must_agree_on_the_vocabulary(folder):
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    edit(folder / "config.json", vocab_size=size - 1)
    with pytest.raises(
        InputError, match=f"has token id {size - 1}, the model's vocabulary ends at"
    ):
        check_checkpoint(folder)


def test_files_of_another_form(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="model: tokenizer.json is not a Whisper tokenizer"):
        check_checkpoint(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError, match="model_type None, expected 'whisper'"):
        check_checkpoint(folder)


def test_a_configuration_without_vocabulary_size(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["vocab_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="model: config.json has no 'vocab_size'"):
        check_checkpoint(folder)


def test_several_weight_files_have_one_fingerprint(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_text(name)
    assert fingerprint(tmp_path).count("+") == 1


def test_where_a_checkpoint_comes_from(folder, tmp_path):
    assert resolve_checkpoint(str(folder), tmp_path) == folder
    with pytest.raises(InputError, match=r"base_model='/gone': no such folder, and not a Hub id"):
        resolve_checkpoint("/gone", tmp_path)
    with pytest.raises(
        InputError, match="base_model='owner/name': no such folder, and the Hub gave"
    ):
        resolve_checkpoint("owner/name", tmp_path)
    with pytest.raises(InputError, match="ctranslate2:/gone: no such folder"):
        resolve_checkpoint("ctranslate2:/gone", tmp_path)
