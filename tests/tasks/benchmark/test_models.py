"""Forms of one checkpoint: made once, named by content, each with its files of weights."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.measure.systems.registry import RUNTIMES
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.prepare import plan
from whisper_qat.model.plan.rules_file import check_type, read_rules_file
from whisper_qat.tasks.benchmark import models
from whisper_qat.tasks.benchmark.models import (
    build_form,
    cache_key,
    code_hash,
    engine_hash,
    plan_of,
    weight_bytes,
)

FORMS = {v.form.name: v.form for runtime in RUNTIMES for v in runtime.variants}


def test_key_changes_with_checkpoint_settings_and_code(
    tiny_whisper, tiny_whisper_folder, monkeypatch
):
    first = cache_key(tiny_whisper, FORMS["onnx-int8"])
    assert first == cache_key(tiny_whisper, FORMS["onnx-int8"])
    assert first != cache_key(tiny_whisper, FORMS["onnx-int4"])
    assert first != cache_key(tiny_whisper_folder(seed=1), FORMS["onnx-int8"])
    monkeypatch.setattr(models, "code_hash", lambda *_: "other")
    assert first != cache_key(tiny_whisper, FORMS["onnx-int8"])


@pytest.mark.parametrize("name", ["onnx-float32", "onnx-int4", "ct2-float32"])
def test_made_once(tiny_whisper, tmp_path, name, caplog, monkeypatch):
    monkeypatch.setattr(models, "code_hash", lambda *_: "the same throughout")
    folder = build_form(FORMS[name], tiny_whisper, tmp_path)
    assert weight_bytes(folder) > 1000
    assert "making" in caplog.text
    caplog.clear()
    assert build_form(FORMS[name], tiny_whisper, tmp_path) == folder
    assert "making" not in caplog.text


def test_the_checkpoint_is_a_form_of_itself(tiny_whisper, tmp_path):
    assert build_form(FORMS["checkpoint"], tiny_whisper, tmp_path) == tiny_whisper


def test_no_weights(tmp_path):
    with pytest.raises(InputError, match="no file of weights"):
        weight_bytes(tmp_path)


def test_every_shipped_plan_fits_its_row(tiny_whisper):
    model = load_whisper(tiny_whisper)
    named = [form.settings for form in FORMS.values() if "plan" in form.settings]
    assert {"int8_row", "int4_row"} <= {settings["plan"] for settings in named}
    for settings in named:
        check_type(plan(model, read_rules_file(plan_of(settings))), model, settings["type"])


def test_the_key_changes_with_the_plan(tiny_whisper, tmp_path, monkeypatch):
    form = FORMS["onnx-int8-row"]
    before = cache_key(tiny_whisper, form)
    monkeypatch.setattr(models, "PLANS", tmp_path)
    (tmp_path / "int8_row.yaml").write_text("- {pattern: '.*', scheme: float}")
    assert cache_key(tiny_whisper, form) != before


def test_the_engine_has_a_hash_of_its_own():
    assert engine_hash() == engine_hash() != code_hash()
