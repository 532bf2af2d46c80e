"""The PTQ baselines as folders: the nodes of QAT with each method's codes, and its name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.export import cases
from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import load_checkpoint
from whisper_qat.export.onnx.read import read_layer
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.model.checkpoint.info import INFO_NAME, read_info
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.quant import block_weight
from whisper_qat.report.evaluation.row_tables import weights_words
from whisper_qat.runs.folders import read_json, read_manifest, write_json
from whisper_qat.tasks import quantize_ptq
from whisper_qat.tasks.evaluate.rows import default_name, describe, open_row
from whisper_qat.tasks.quantize_ptq import QuantizePtqConfig, quantize_model, run

METHODS = ("round-to-nearest", "least-squares", "weighted-least-squares", "gptq")


@pytest.fixture
def config(tmp_path):
    base = cases.save_checkpoint(cases.tiny_whisper(), tmp_path / "base")
    return QuantizePtqConfig(
        model_path=str(base), output_path=tmp_path / "ptq", quantization_type="int4"
    )


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return str(save_tiny_speech(tmp_path_factory.mktemp("speech") / "data", train=3))


@pytest.fixture
def settings(tiny_whisper, tmp_path, speech):
    """Config of a whole tiny Whisper by method; int4, dynamic context."""

    def make(method, **changes):
        calibrated = method in ("weighted-least-squares", "gptq")
        given = {
            "model_path": str(tiny_whisper), "output_path": tmp_path / method,
            "quantization_type": "int4", "method": method, "audio_context": "dynamic",
            "margin_s": 0.5, "calibration_data": speech if calibrated else None,
        }  # fmt: skip
        return QuantizePtqConfig(**(given | changes))

    return make


def test_codes_and_scales_are_orts(config):
    run(config)
    manifest = read_manifest(config.output_path)
    assert (manifest["method"], manifest["ptq_method"]) == ("ptq", "round-to-nearest")
    model = cases.tiny_whisper()
    plan = read_json(config.output_path / "plan.json")["layers"]
    layers = [entry for entry in plan if entry["scheme"] != "float16"]
    assert len(layers) > 30
    for entry in layers:
        written = read_layer(config.output_path, entry["name"])
        assert written.scheme.name == entry["scheme"]
        weight = model.get_submodule(entry["name"]).weight.detach()
        scale, _ = block_weight.choose_params(weight, written.scheme)
        assert torch.equal(torch.from_numpy(written.scales), scale)
        codes = block_weight.quantize(weight, scale, written.scheme)
        assert torch.equal(torch.from_numpy(written.codes), codes)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_its_layers_codes_and_says_its_name(method, settings, monkeypatch):
    made = []

    def keep(*inputs):
        made.append(quantize_model(*inputs))
        return made[0]

    monkeypatch.setattr(quantize_ptq, "quantize_model", keep)
    config = settings(method)
    run(config)
    for name, layer in fake_quantized(made[0].model).items():
        written = read_layer(config.output_path, name)
        assert np.array_equal(written.codes, layer.codes().numpy()), name
        assert np.array_equal(written.scales, layer.scale().numpy()), name
    row = open_row(config.output_path)
    assert describe(row)["ptq_method"] == method == read_manifest(config.output_path)["ptq_method"]
    suffix = "" if method == "round-to-nearest" else f"-{method}"
    assert row.name == f"base-ptq-int4{suffix}"


@pytest.mark.parametrize("method", ["round-to-nearest", "gptq"])
@pytest.mark.parametrize(
    ("kind", "rows", "blocks"),
    [("int8", "int8-row", "block-int8-128-f16"), ("int3", "int3-row", "block-int4-128-f16"),
     ("int2", "block-int2-128-f16", "block-int2-128-f16")],
)  # fmt: skip
def test_other_widths_and_blocks(method, kind, rows, blocks, settings):
    config = settings(method, quantization_type=kind, block_size=128)
    run(config)
    layer = "model.decoder.layers.1.encoder_attn"
    assert read_layer(config.output_path, f"{layer}.k_proj").scheme.name == rows
    assert read_layer(config.output_path, f"{layer}.q_proj").scheme.name == blocks


def test_a_folder_of_the_former_default_is_not_taken_for_the_present_one(settings):
    config = settings("round-to-nearest", quantization_type="int8")
    run(config)
    manifest = read_manifest(config.output_path)
    assert manifest["config"]["plan"] == "default: int8-row"
    manifest["config"]["plan"] = None
    write_json(config.output_path / "manifest.json", manifest)
    with pytest.raises(InputError, match="plan=None, now 'default: int8-row'"):
        run(config)


def test_calibration_clips_are_recorded_and_others_refused(settings):
    config = settings("gptq")
    run(config)
    assert len(read_manifest(config.output_path)["inputs"]["calibration clips"]) == 64
    with pytest.raises(InputError, match="made from other calibration clips"):
        run(replace(config, calibration_samples=2))


def test_a_plan_file_decides(settings, tmp_path, caplog):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: '.*fc1', scheme: float, why: x}\n"
                    "- {pattern: '.*layers.*', scheme: block-int4-64-f16, why: y}\n")  # fmt: skip
    config = settings("least-squares", plan=path)
    run(config)
    by_name = {
        e["name"]: e["scheme"] for e in read_json(config.output_path / "plan.json")["layers"]
    }
    assert by_name["model.encoder.layers.0.fc1"] == "float"
    assert by_name["model.encoder.layers.0.fc2"] == "block-int4-64-f16"
    run(config)
    assert "up to date" in caplog.text
    path.write_text("- {pattern: '.*layers.*', scheme: block-int4-64-f16, why: y}\n")
    with pytest.raises(InputError, match="made from another plan"):
        run(config)


def test_a_plan_of_another_width_is_refused(settings, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: '.*layers.*', scheme: block-int8-32, why: x}\n")
    with pytest.raises(InputError, match="has no layer of quantization_type=int4, only of int8"):
        settings("least-squares", plan=path)
    path.write_text(
        "- {pattern: .*q_proj, scheme: block-int4-32}\n- {pattern: .*, scheme: block-int8-32}\n"
    )
    with pytest.raises(
        InputError, match="quantization_type=int4: the plan puts .* weights in int8"
    ):
        run(settings("least-squares", plan=path))


def test_optimum_dynamic_is_a_folder_like_the_others(settings):
    config = settings("optimum-dynamic", quantization_type="int8")
    run(config)
    row = open_row(config.output_path)
    assert (row.name, row.info.ptq_method) == ("base-ptq-int8-optimum-dynamic", "optimum-dynamic")
    record = describe(row)
    assert weights_words(record) == "dynamic-int8-tensor"
    assert 0.2 < record["model_bytes"] / record["fp32_bytes"] < 0.5
    backend = OnnxBackend.from_folder(config.output_path, 1)
    state = backend.encode(np.zeros((1, 80, 100), np.float32))
    assert np.isfinite(backend.logits(np.array([[1, 2]]), state)).all()


def test_folders_written_before_methods_had_names(config):
    run(config)
    path = config.output_path / INFO_NAME
    write_json(path, {k: v for k, v in read_json(path).items() if k != "ptq_method"})
    info = read_info(config.output_path)
    assert info.ptq_method is None and default_name(info) == "base-ptq-int4"


def test_a_quantized_checkpoint_is_refused(config):
    final = load_checkpoint(Path(config.model_path), "base")
    made = quantize_model(final, config, Path(config.model_path), [])
    with pytest.raises(InputError, match=r"is quantized already \(ptq int4\); give a float"):
        quantize_model(made, config, Path(config.model_path), [])


def test_a_second_run_does_nothing(config, caplog):
    run(config)
    run(config)
    assert "up to date" in caplog.text


def test_other_block_size_is_refused(config):
    run(config)
    with pytest.raises(InputError, match=r"other settings \(block_size=32, now 64\)"):
        run(replace(config, block_size=64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_size": 33}, "--block_size 33: expected one of"),
        (
            {"quantization_type": "int2", "block_size": 16},
            "--quantization_type int2: block_size=16: with 2 bits one of",
        ),
        ({"calibration_samples": 0}, "--calibration_samples 0: expected 1 or more"),
        ({"method": "gptq"}, "--method gptq: needs speech; pass --calibration_data"),
        (
            {"calibration_data": "data"},
            "--calibration_data: --method round-to-nearest uses no calibration speech; only "
            "weighted-least-squares and gptq do",
        ),
        ({"method": "optimum-dynamic"}, "--method optimum-dynamic: writes int8, not int4"),
        (
            {"method": "optimum-dynamic", "quantization_type": "int8", "plan": Path("p.yaml")},
            "--plan: --method optimum-dynamic follows none",
        ),
    ],
)
def test_settings_that_do_not_go_together(config, changes, message):
    with pytest.raises(InputError, match=message):
        replace(config, **changes)


def test_a_plan_alone_decides_the_type():
    config = QuantizePtqConfig(model_path="m", output_path=Path("o"), plan=Path("ggml_q4_0"))
    assert config.quantization_type == "int4"
    assert QuantizePtqConfig(model_path="m", output_path=Path("o")).quantization_type == "int8"
    with pytest.raises(InputError, match="--plan int4_row: has layers of int8 and int4; pass --q"):
        replace(config, plan=Path("int4_row"), quantization_type="")
    with pytest.raises(InputError, match="--plan int8_row: has no layer of quantization_type=int4"):
        replace(config, plan=Path("int8_row"))


def test_a_plan_without_a_quantized_layer_is_refused(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: .*, scheme: float, why: all}\n")
    with pytest.raises(InputError, match="plan.yaml: leaves every layer float; nothing to quant"):
        QuantizePtqConfig(model_path="m", output_path=Path("o"), plan=path)
