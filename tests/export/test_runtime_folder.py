"""Folders for CTranslate2 and whisper.cpp, made by convert: manifest, messages, refusals."""

from dataclasses import replace

import pytest

from tests.export.finals import info, quantized
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.final import save_final
from whisper_qat.model.plan.plan import TOKEN_TABLE
from whisper_qat.runs.folders import read_manifest
from whisper_qat.tasks.convert.convert import ConvertConfig, run


@pytest.fixture(scope="module")
def base(tiny_whisper_folder):
    return tiny_whisper_folder(vocab_size=51865, encoder_ffn_dim=256, decoder_ffn_dim=256)


def save(base, folder, plan, quantization_type="int8", context="full"):
    final = quantized(base, plan)
    kind = replace(
        info(quantization_type), audio_context={"mode": context, "margin_s": 1.0}, training_seed=7
    )
    save_final(final.model, folder, plan=final.plan, info=kind, companions=base)
    return folder


@pytest.fixture
def config(base, tmp_path):
    folder = save(base, tmp_path / "final", "int8_dynamic_all", context="dynamic")
    return ConvertConfig(
        model_path=str(folder), output_path=tmp_path / "out", quantization_type="int8",
        format="ctranslate2", requantize=True,
    )  # fmt: skip


def test_what_was_rounded_is_printed_and_kept(config, caplog):
    run(config)
    out = caplog.text
    assert f"rounded anew: {TOKEN_TABLE} (was block-int8-32-f16)" in out
    assert "trained on the clip's own length; faster-whisper pads every clip to 30 s" in out
    assert "pass compute_type='int8' when loading" in out
    manifest = read_manifest(config.output_path)
    assert manifest["kind"] == "ctranslate2"
    assert manifest["rounded_anew"] == {TOKEN_TABLE: "block-int8-32-f16"}
    assert manifest["model_bytes"] == (config.output_path / "model.bin").stat().st_size
    assert (manifest["training_seed"], manifest["method"]) == (7, "qat")
    caplog.clear()
    run(config)
    assert caplog.messages == [f"{config.output_path}: up to date"]


def test_a_refused_plan_leaves_no_folder(config):
    with pytest.raises(InputError, match="pass --requantize to round anew what differs"):
        run(replace(config, requantize=False))
    assert not config.output_path.exists()


def test_ggml_of_its_plan(base, tmp_path, caplog):
    folder = save(base, tmp_path / "final", "ggml_q4_0", "int4")
    output = tmp_path / "out"
    run(
        ConvertConfig(
            model_path=str(folder), output_path=output, quantization_type="int4", format="ggml"
        )
    )
    assert caplog.messages[-1].endswith("MB for ggml, 0 layers rounded anew")
    names = {path.name for path in output.iterdir()}
    assert names == {"ggml-model-q4_0.bin", "plan.json", "whisper_qat.json", "manifest.json"}
    assert read_manifest(output)["model_bytes"] < read_manifest(output)["fp32_bytes"] / 3


def test_another_format_in_the_same_folder_is_refused(config):
    run(config)
    with pytest.raises(InputError, match="is a ctranslate2 folder; give another --output_path"):
        run(replace(config, format="ggml"))
    with pytest.raises(InputError, match="exists with other settings .requantize=True, now False"):
        run(replace(config, requantize=False))


def test_flags_that_a_format_does_not_have(config):
    with pytest.raises(InputError, match="--requantize: --format onnx keeps every grid; only ctr"):
        replace(config, format="onnx")
    with pytest.raises(InputError, match="--parity_data: --format ggml has no parity check"):
        replace(config, format="ggml", parity_data="speech")
    with pytest.raises(InputError, match="--audio_context: not stored by --format ggml; whisper"):
        replace(config, format="ggml", audio_context="full")


def test_a_float_checkpoint(base, tmp_path, caplog):
    config = ConvertConfig(
        model_path=str(base), output_path=tmp_path / "out", quantization_type="none",
        format="ctranslate2",
    )  # fmt: skip
    run(config)
    assert "compute_type" not in caplog.text
    assert not (tmp_path / "out" / "plan.json").exists()
    with pytest.raises(InputError, match="the checkpoint is float and is written in float32"):
        run(replace(config, requantize=True, output_path=tmp_path / "other"))
    with pytest.raises(InputError, match=r"--format ggml: cannot keep .* the file holds float16"):
        run(replace(config, format="ggml", output_path=tmp_path / "other"))
