"""What a run is made of: the same parts that the training task and the benchmark use."""

from pathlib import Path

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.runs.setting_groups import changed
from whisper_qat.tasks.train.parts import load, make_accelerator, make_loop


@pytest.fixture
def config(tiny_whisper, tmp_path):
    return train_config(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "run"), per_device_batch_size=1, num_workers=0,
        gradient_accumulation_steps=2, num_epochs=2,
    )  # fmt: skip


def parts_of(config):
    accelerator, why = make_accelerator(config)
    assert "float32" in why
    return load(config, Path(config.output.output_dir), accelerator), accelerator


@pytest.mark.parametrize(("kind", "planned"), [("int8", True), ("none", False)])
def test_the_plan_is_applied_and_the_teacher_is_the_float_model(config, kind, planned):
    parts, _ = parts_of(changed(config, quantization_type=kind))
    assert (parts.plan is not None) == bool(fake_quantized(parts.model)) == planned
    assert parts.teacher is not None and not fake_quantized(parts.teacher)
    assert not any(p.requires_grad for p in parts.teacher.parameters())


def test_without_distillation_there_is_no_teacher(config):
    assert parts_of(changed(config, kl_weight=0.0))[0].teacher is None
    assert parts_of(changed(config, kl_weight=0.0, encoder_weight=1.0))[0].teacher is not None


def test_the_loop_has_the_settings_and_draws_margins_for_training_only(config):
    config = changed(config, audio_context="dynamic", max_margin_s=5.0, teacher_context="full")
    parts, accelerator = parts_of(config)
    loop = make_loop(config, Path(config.output.output_dir), accelerator, parts)
    assert loop.data.collator.max_margin_s == 5.0 and parts.collator.max_margin_s is None
    assert loop.data.collator.full_teacher and parts.collator.full_teacher
    assert parts.info.trained_context == {
        "mode": "dynamic", "margin_s": 3.0, "max_margin_s": 5.0, "teacher_context": "full",
    }  # fmt: skip
    assert loop.settings.gradient_accumulation_steps == 2
    assert loop.total == 2 * -(-len(parts.selection.train) // 2)
