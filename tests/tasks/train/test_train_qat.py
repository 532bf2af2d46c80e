"""The training task on a tiny model: data to final/, resumed after kill -9, refusing in words."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.read import read_layer
from whisper_qat.model.checkpoint.final import load_final
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.quant import numerics
from whisper_qat.runs.folders import hash_file, read_manifest
from whisper_qat.runs.setting_groups import changed, flat
from whisper_qat.tasks.convert import convert
from whisper_qat.tasks.train import parts
from whisper_qat.tasks.train.config import recorded
from whisper_qat.tasks.train.train_qat import run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tiny_whisper, tmp_path):
    return train_config(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "run"), num_epochs=2, per_device_batch_size=2,
        gradient_accumulation_steps=1, learning_rate=1e-3, audio_context="dynamic", margin_s=0.5,
        num_workers=0, save_steps=3, seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("quantization_type", ["int8", "int4", "none"])
def test_a_run_leaves_a_final_folder(config, quantization_type, caplog):
    config = changed(config, quantization_type=quantization_type)
    assert run(config) is None
    folder = Path(config.output.output_dir)
    final = load_final(folder / "final")
    quantized = quantization_type != "none"
    assert (final.plan is not None) == bool(fake_quantized(final.model)) == quantized
    assert final.info.method == ("qat" if quantized else "float")
    assert final.info.audio_context == {"mode": "dynamic", "margin_s": 0.5}
    assert final.info.fine_tuned and final.info.training_seed == 3
    manifest = read_manifest(folder / "final")
    assert manifest["steps"] == 8 and manifest["config"] == recorded(config)
    lines = [json.loads(text) for text in (folder / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert {"eval_loss", "eval_kl", "eval_wer"} <= {key for line in lines for key in line}
    printed = caplog.text
    assert "preflight: 8 clips" in printed and "preflight: rehearsal" in printed


@pytest.mark.slow
def test_an_english_only_checkpoint_is_trained_and_converted_without_a_language(
    config, tiny_english_whisper, tmp_path, monkeypatch
):
    lengths = []
    set_length = parts.set_prompt_length
    monkeypatch.setattr(
        parts, "set_prompt_length", lambda model, n: (lengths.append(n), set_length(model, n))
    )
    run(changed(config, base_model=str(tiny_english_whisper), num_epochs=1))
    assert lengths == [2]  # start, no timestamps
    convert.run(convert.ConvertConfig(
        model_path=str(Path(config.output.output_dir) / "final"), output_path=tmp_path / "onnx",
        parity_positions=30, parity_transcripts=2,
    ))  # fmt: skip
    generation = json.loads((tmp_path / "onnx" / "generation_config.json").read_text())
    assert generation["is_multilingual"] is False
    assert json.loads((tmp_path / "onnx" / "parity.json").read_text())["passed"]


@pytest.mark.parametrize(("plan", "dynamic"), [("int8_dynamic", 16), ("int8_dynamic_all", 32)])
def test_ready_plans_train_with_the_ranges_of_the_prompt(config, monkeypatch, plan, dynamic):
    lengths = []
    monkeypatch.setattr(parts, "set_prompt_length", lambda model, n: lengths.append(n))
    plan_file = ROOT / "configs" / "plans" / f"{plan}.yaml"
    run(changed(config, plan=plan_file, scales="learned", num_epochs=1))
    assert lengths == [4]  # start, language, task, no timestamps
    final = load_final(Path(config.output.output_dir) / "final")
    layers = [m for m in fake_quantized(final.model).values() if m.scheme.name == "int8-dynamic"]
    assert len(layers) == dynamic
    assert all(layer.scale().shape == (len(layer.weight), 1) for layer in layers)


@pytest.mark.parametrize("quantization_type", ["int4", "int2"])
def test_learned_scales_are_saved_and_written_as_trained(config, quantization_type, tmp_path):
    config = changed(
        config, quantization_type=quantization_type, scales="learned", scale_lr_ratio=1.0,
        curriculum="int8:0.3", encoder_weight=0.5,
    )  # fmt: skip
    run(config)
    final = Path(config.output.output_dir) / "final"
    layers = {n: m for n, m in fake_quantized(load_final(final).model).items() if n != HEAD}
    rule = {name: numerics.of_weight(m.scheme).choose_params(m.weight, m.scheme)[0]
            for name, m in layers.items()}  # fmt: skip
    assert all((layers[name].scale() != rule[name]).any() for name in layers)
    folder = tmp_path / "onnx"
    convert.run(convert.ConvertConfig(
        model_path=str(final), output_path=folder, quantization_type=quantization_type,
        parity_positions=30, parity_transcripts=2,
    ))  # fmt: skip
    for name, layer in layers.items():
        written = read_layer(folder, name)
        assert (written.codes == layer.codes().numpy()).all()
        assert (written.scales == layer.scale().numpy()).all()
    assert "weight_scale" not in "".join(load_file(final / "model.safetensors"))


def test_drawn_margins_and_a_teacher_on_the_whole_window_resume_too(config, monkeypatch, tmp_path):
    config = changed(
        config, audio_context="dynamic", margin_s=1.0, max_margin_s=5.0, teacher_context="full",
        encoder_weight=0.5,
    )  # fmt: skip
    whole = changed(config, output_dir=str(tmp_path / "whole"))
    run(whole)
    interrupted(config, monkeypatch)
    run(config)
    assert final_hash(config) == final_hash(whole)
    other = changed(config, output_dir=str(tmp_path / "other"), max_margin_s=None)
    run(other)
    assert final_hash(other) != final_hash(whole)


@pytest.mark.parametrize("stages", ["", "float:0.25"])
def test_a_gptq_start_is_made_once_and_resumed(config, monkeypatch, tmp_path, caplog, stages):
    config = changed(
        config, quantization_type="int4", scales="learned", scale_start="gptq",
        calibration_samples=3, curriculum=stages,
    )  # fmt: skip
    whole = changed(config, output_dir=str(tmp_path / "whole"))
    run(whole)
    assert "gptq: encoder layer 0" in caplog.text
    interrupted(config, monkeypatch)
    caplog.clear()
    run(config)
    assert "gptq:" not in caplog.text
    assert final_hash(config) == final_hash(whole)


def test_a_changed_plan_file_is_other_settings(config, monkeypatch, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: .*, scheme: block-int8-32-f16}\n")
    interrupted(changed(config, plan=path), monkeypatch)
    path.write_text("- {pattern: .*, scheme: block-int8-64-f16}\n")
    with pytest.raises(InputError, match=r"exists with other settings \(plan="):
        run(changed(config, plan=path))


def test_a_plan_of_another_type_is_refused(config, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: .*, scheme: block-int4-32-f16}\n")
    with pytest.raises(InputError, match="has no layer of quantization_type=int8, only of int4"):
        changed(config, plan=path)
    path.write_text(
        "- {pattern: .*q_proj, scheme: block-int8-32}\n- {pattern: .*, scheme: block-int4-32}\n"
    )
    with pytest.raises(
        InputError, match="quantization_type=int8: the plan puts .* weights in int4"
    ):
        run(changed(config, plan=path))


def test_weights_move_and_the_base_stays(config, tiny_whisper):
    before = hash_file(tiny_whisper / "model.safetensors")
    run(config)
    assert hash_file(tiny_whisper / "model.safetensors") == before
    moved = load_final(Path(config.output.output_dir) / "final").model.state_dict()
    base = load_final_like(tiny_whisper)
    assert any((moved[name] != base[name]).any() for name in base if name.endswith("fc1.weight"))


def load_final_like(folder):
    from whisper_qat.model.checkpoint.load import load_whisper

    return load_whisper(folder).state_dict()


def test_a_second_run_does_nothing(config, caplog):
    run(config)
    before = hash_file(Path(config.output.output_dir) / "final" / "model.safetensors")
    caplog.clear()
    run(config)
    assert "finished with these settings; nothing to do" in caplog.text
    assert hash_file(Path(config.output.output_dir) / "final" / "model.safetensors") == before


def test_other_settings_are_refused(config):
    run(config)
    with pytest.raises(InputError, match=r"other settings \(seed=3, now 4\); give another"):
        run(changed(config, seed=4))


def test_changed_data_is_refused(config, monkeypatch):
    interrupted(config, monkeypatch)
    path = Path(config.data.train_data) / "train.jsonl"
    path.write_text(path.read_text().replace("quatre", "soixante"))
    with pytest.raises(InputError, match="the training data changed since this run began"):
        run(config)


def interrupted(config, monkeypatch):
    """Stop `config`'s run after its first checkpoint, as Ctrl-C would."""
    from whisper_qat.train.loop import Loop

    save = Loop._save

    def save_and_stop(self):
        save(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Loop, "_save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    monkeypatch.undo()


def test_an_interrupted_run_goes_on_to_the_same_weights(config, monkeypatch, tmp_path, caplog):
    whole = changed(config, output_dir=str(tmp_path / "whole"))
    run(whole)
    interrupted(config, monkeypatch)
    assert not (Path(config.output.output_dir) / "final").exists()
    run(config)
    assert "resuming after step 3 of 8" in caplog.text
    assert final_hash(config) == final_hash(whole)


def final_hash(config):
    return hash_file(Path(config.output.output_dir) / "final" / "model.safetensors")


def test_an_unfinished_run_is_refused_without_resume(config, monkeypatch):
    interrupted(config, monkeypatch)
    with pytest.raises(InputError, match="holds an unfinished run; pass --resume true or another"):
        run(changed(config, resume=False))


def test_dry_run_stops_before_step_1(config, caplog):
    run(changed(config, dry_run=True))
    assert "dry run: stopping before step 1" in caplog.text
    assert not (Path(config.output.output_dir) / "final").exists()
    run(config)


def test_distillation_can_be_switched_off(config):
    run(changed(config, kl_weight=0.0, num_epochs=1))
    text = (Path(config.output.output_dir) / "history.jsonl").read_text()
    assert "eval_kl" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"quantization_type": "int9"},
            "quantization_type='int9': expected one of int8, int4, int3, int2",
        ),
        ({"audio_context": "short"}, "audio_context='short': expected one of full, dynamic"),
        ({"block_size": 48}, "block_size=48: expected 32, 64 or 128"),
        ({"num_epochs": 0}, "num_epochs=0: expected more than 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: expected more than 0"),
        ({"num_workers": -1}, "num_workers=-1: expected 0 or more"),
        ({"warmup_ratio": 1.0}, "warmup_ratio=1.0: expected 0 to below 1"),
        ({"ce_weight": 0.0, "kl_weight": 0.0}, "nothing would be trained"),
        ({"curriculum": "int8"}, "curriculum='int8': 'int8' is not STAGE:SHARE"),
        (
            {"curriculum": "int8:0.5", "quantization_type": "none"},
            "quantization_type none has no grid to go to",
        ),
        (
            {"max_margin_s": 5.0},
            "max_margin_s=5: expected margin_s .3. to 30 seconds, and audio_con",
        ),
        (
            {"max_margin_s": 2.0, "audio_context": "dynamic"},
            "max_margin_s=2: expected margin_s .3. to 30 seconds",
        ),
        ({"scale_start": "gptq"}, "scale_start='gptq': only with scales=learned"),
        ({"scale_lr_ratio": -1.0}, "scale_lr_ratio=-1.0: expected 0 or more"),
        ({"encoder_weight": -1.0}, "encoder_weight=-1.0: expected 0 or more"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        train_config(**change)


def test_a_second_process_on_the_folder_is_refused(config):
    from whisper_qat.runs.locks import folder_lock

    with (
        folder_lock(config.output.output_dir),
        pytest.raises(InputError, match="in use by another proc"),
    ):
        run(config)


def command(config):
    flags = [
        text
        for name, value in flat(config).items()
        if value is not None
        for text in (f"--{name}", str(value).lower() if isinstance(value, bool) else str(value))
    ]
    return [sys.executable, str(ROOT / "scripts/train_qat.py"), *flags]


@pytest.mark.slow
def test_kill_9_at_random_moments_gives_the_undisturbed_weights(config, tmp_path):
    config = changed(config, num_epochs=12, save_steps=1)
    whole = changed(config, output_dir=str(tmp_path / "whole"))
    run(whole)
    rng = random.Random(0)
    kills = 0
    history = Path(config.output.output_dir) / "history.jsonl"
    for _ in range(2):
        process = subprocess.Popen(
            command(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        seen = history.read_text().count("\n") if history.exists() else 0
        while process.poll() is None:
            if history.exists() and history.read_text().count("\n") > seen + 3:
                time.sleep(rng.uniform(0, 0.3))
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.02)
        process.wait()
    assert kills == 2
    run(config)
    assert final_hash(config) == final_hash(whole)
