"""The PTQ baseline as a folder: the nodes of QAT with ORT's codes."""

from dataclasses import replace

import pytest
import torch

from tests.export import cases
from whisper_qat.artifacts import read_json, read_manifest
from whisper_qat.config import InputError
from whisper_qat.export.read import read_layer
from whisper_qat.quant import block_weight
from whisper_qat.tasks.quantize_ptq import QuantizePtqConfig, run


@pytest.fixture
def config(tmp_path):
    base = cases.save_checkpoint(cases.tiny_whisper(), tmp_path / "base")
    return QuantizePtqConfig(
        model_path=str(base), output_path=tmp_path / "ptq", quantization_type="int4"
    )


def test_codes_and_scales_are_orts(config):
    run(config)
    assert read_manifest(config.output_path)["method"] == "ptq"
    model = cases.tiny_whisper()
    for entry in read_json(config.output_path / "plan.json")["layers"]:
        written = read_layer(config.output_path, entry["name"])
        assert written.scheme.name == entry["scheme"]
        weight = model.get_submodule(entry["name"]).weight.detach()
        scale, _ = block_weight.choose_params(weight, written.scheme)
        assert torch.equal(torch.from_numpy(written.scales), scale)
        codes = block_weight.quantize(weight, scale, written.scheme)
        assert torch.equal(torch.from_numpy(written.codes), codes)


def test_a_second_run_does_nothing(config, capsys):
    run(config)
    run(config)
    assert "up to date" in capsys.readouterr().out


def test_other_block_size_is_refused(config):
    run(config)
    with pytest.raises(InputError, match=r"other settings \(block_size=32, now 64\)"):
        run(replace(config, block_size=64))


def test_unknown_block_size(config):
    with pytest.raises(InputError, match="--block_size 33: expected one of"):
        replace(config, block_size=33)
