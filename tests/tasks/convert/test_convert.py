"""The conversion task: what it accepts, what it refuses, and that a second run does nothing."""

from dataclasses import asdict, replace

import pytest

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.read import read_codes
from whisper_qat.model.checkpoint.final import fix_scales, load_final, save_final
from whisper_qat.model.checkpoint.info import Info, read_info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.onnx_files import CROSS_FILE, STEP_FILE
from whisper_qat.model.plan.plan import HEAD, default_rules
from whisper_qat.runs.folders import read_json, read_manifest
from whisper_qat.tasks.convert.convert import ConvertConfig, run

INFO = Info(
    quantization_type="int4",
    method="qat",
    fine_tuned=True,
    audio_context={"mode": "dynamic", "margin_s": 1.0},
    trained_context={"mode": "dynamic", "margin_s": 1.0, "max_margin_s": 4.0},
    base_model={"name": "tiny", "fingerprint": "abc"},
)


@pytest.fixture
def base(tiny_whisper):
    return tiny_whisper


@pytest.fixture
def final(base, tmp_path):
    model = load_whisper(base)
    made = plan(model, default_rules("int4", 32))
    apply_plan(model, made)
    fix_scales(model)
    save_final(model, tmp_path / "final", plan=made, info=INFO, companions=base)
    return tmp_path / "final"


@pytest.fixture
def config(final, tmp_path):
    return ConvertConfig(
        model_path=str(final), output_path=tmp_path / "onnx", quantization_type="int4"
    )


def test_codes_of_final_are_the_codes_of_the_graphs(config, final):
    run(config)
    layers = fake_quantized(load_final(final).model)
    codes = read_codes(config.output_path)
    assert set(codes) == set(layers) - {HEAD}
    for name, written in codes.items():
        assert (layers[name].codes().numpy() == written).all()
    manifest = read_manifest(config.output_path)
    assert (manifest["method"], manifest["quantization_type"]) == ("qat", "int4")
    assert manifest["audio_context"] == {"mode": "dynamic", "margin_s": 1.0}
    assert (config.output_path / "plan.json").read_text() == (final / "plan.json").read_text()


def test_another_context_leaves_word_of_the_trained_one(config):
    run(replace(config, audio_context="full"))
    for content in (read_manifest(config.output_path), asdict(read_info(config.output_path))):
        assert content["audio_context"] == {"mode": "full", "margin_s": 0.0}
        assert content["trained_context"] == INFO.trained_context is not None


def test_a_second_run_does_nothing(config, caplog):
    run(config)
    before = read_manifest(config.output_path)
    run(config)
    assert "up to date" in caplog.text
    assert read_manifest(config.output_path) == before


def test_other_settings_are_refused(config):
    run(config)
    with pytest.raises(InputError, match="exists with other settings"):
        run(replace(config, audio_context="full"))


def test_plain_checkpoint_as_float(base, tmp_path):
    config = ConvertConfig(
        model_path=str(base), output_path=tmp_path / "float", quantization_type="none"
    )
    run(config)
    assert read_codes(config.output_path) == {}
    assert read_manifest(config.output_path)["method"] == "float"


def test_never_trained_with_qat(config, base):
    with pytest.raises(InputError, match=r"never trained with QAT; .*scripts/quantize_ptq\.py"):
        run(replace(config, model_path=str(base)))


def test_float_control_as_int8(config, base, tmp_path):
    info = replace(INFO, quantization_type="none", method="float")
    save_final(load_whisper(base), tmp_path / "control", plan=None, info=info, companions=base)
    with pytest.raises(InputError, match="pass --quantization_type none for float ONNX"):
        run(replace(config, model_path=str(tmp_path / "control"), quantization_type="int8"))


@pytest.mark.parametrize("wrong", ["int8", "none"])
def test_trained_with_another_type(config, wrong):
    with pytest.raises(InputError, match="trained with int4; pass --quantization_type int4"):
        run(replace(config, quantization_type=wrong))


def test_bad_margin(config):
    with pytest.raises(InputError, match="only with --audio_context dynamic"):
        replace(config, margin_s=1.0)


def test_no_such_checkpoint(config):
    with pytest.raises(InputError, match="no such folder"):
        run(replace(config, model_path="./nowhere"))


def test_transformers_js_has_the_same_codes_under_its_names(config):
    plain = config.output_path
    run(config)
    other = replace(config, format="transformers-js", output_path=plain.with_name("js"))
    run(other)
    for stem in ("encoder_model", "decoder_model_merged"):
        data = (plain / f"{stem}.onnx_data").read_bytes()
        assert (other.output_path / "onnx" / f"{stem}_q4.onnx_data").read_bytes() == data
    assert read_json(other.output_path / "parity.json")
    manifest = read_manifest(other.output_path)
    assert manifest["config"]["format"] == "transformers-js"
    engine = sum((plain / name).stat().st_size for name in (STEP_FILE, CROSS_FILE))  # not in js
    assert 0 < manifest["model_bytes"] + engine - read_manifest(plain)["model_bytes"] < 5_000


def test_another_format_in_the_same_folder_is_refused(config):
    run(config)
    with pytest.raises(InputError, match="exists with other settings .format='onnx'"):
        run(replace(config, format="transformers-js"))
