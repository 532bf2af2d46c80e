"""final/: what was trained comes back, code for code, and is an ordinary checkpoint as well."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import WhisperForConditionalGeneration

from whisper_qat.errors import InputError
from whisper_qat.model import forward
from whisper_qat.model.checkpoint.final import fix_scales, load_final, save_final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules


def info(quantization_type="int8"):
    return Info(
        quantization_type=quantization_type, method="qat", fine_tuned=True,
        audio_context={"mode": "full", "margin_s": 0.0},
        base_model={"name": "tiny", "fingerprint": "x"}, training_seed=7,
    )  # fmt: skip


@pytest.fixture
def saved(tiny_whisper, tmp_path):
    model = load_whisper(tiny_whisper)
    made = plan(model, default_rules("int4", 32))
    apply_plan(model, made)
    save_final(model, tmp_path / "final", plan=made, info=info("int4"), companions=tiny_whisper)
    return model, tmp_path / "final"


@torch.no_grad()
def logits(model):
    mel = torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(0))
    return forward.decode(
        model, torch.tensor([[3, 4, 5]]), forward.start(model, forward.encode(model, mel))
    )


def test_codes_scales_and_logits_come_back(saved):
    model, folder = saved
    final = load_final(folder)
    before, after = fake_quantized(model), fake_quantized(final.model)
    assert before.keys() == after.keys()
    for name in before:
        assert (before[name].codes() == after[name].codes()).all()
        assert (before[name].scale() == after[name].weight_scale).all()
    assert (logits(final.model) == logits(model)).all()
    assert final.info == info("int4") and set(final.plan.quantized()) == set(before) - {"proj_out"}


def test_a_fixed_scale_is_kept_when_the_rule_would_choose_another(saved, tiny_whisper, tmp_path):
    model, _ = saved
    fix_scales(model)
    layer = fake_quantized(model)["model.decoder.layers.0.fc1"]
    layer.weight_scale = layer.weight_scale * 0.9
    made = load_final(saved[1]).plan
    save_final(model, tmp_path / "b", plan=made, info=info("int4"), companions=tiny_whisper)
    again = fake_quantized(load_final(tmp_path / "b").model)["model.decoder.layers.0.fc1"]
    assert (again.codes() == layer.codes()).all() and (again.scale() == layer.scale()).all()


def test_it_loads_as_an_ordinary_whisper(saved):
    model, folder = saved
    plain = WhisperForConditionalGeneration.from_pretrained(folder)
    assert plain.dtype == torch.float32
    assert plain.proj_out.weight is plain.model.decoder.embed_tokens.weight
    for name, tensor in plain.state_dict().items():
        assert (tensor == model.state_dict()[name]).all()


def test_a_float_folder_has_no_plan(tiny_whisper, tmp_path):
    model = load_whisper(tiny_whisper)
    save_final(model, tmp_path / "f", plan=None, info=info("none"), companions=tiny_whisper)
    final = load_final(tmp_path / "f")
    assert final.plan is None and not fake_quantized(final.model)
    assert not (tmp_path / "f" / "plan.json").exists()


def test_missing_parts_are_named(saved):
    _, folder = saved
    (folder / "scales.safetensors").unlink()
    with pytest.raises(InputError, match=r"scales.safetensors: missing; a quantized checkpoint n"):
        load_final(folder)
    (folder / "plan.json").unlink()
    with pytest.raises(InputError, match=r"plan.json: no such file"):
        load_final(folder)


def test_a_later_format_is_refused(saved):
    _, folder = saved
    content = json.loads((folder / "whisper_qat.json").read_text())
    (folder / "whisper_qat.json").write_text(json.dumps(content | {"format_version": 2}))
    with pytest.raises(InputError, match="whisper_qat.json: not of format 1"):
        load_final(folder)


def test_files_are_as_readable_as_any_other(saved):
    _, folder = saved
    (folder / "plain").touch()
    modes = {p.name: p.stat().st_mode for p in folder.iterdir()}
    assert modes["model.safetensors"] == modes["scales.safetensors"] == modes["plain"]


def test_scales_must_fit_the_plan(saved):
    _, folder = saved
    path = folder / "plan.json"
    path.write_text(path.read_text().replace("block-int4-32", "block-int4-64"))
    with pytest.raises(
        InputError, match=r"k_proj' has shape \[64, 2\], plan.json asks for \[64, 1\]; they are n"
    ):
        load_final(folder)


def test_damaged_scales(saved):
    _, folder = saved
    path = folder / "scales.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"scales.safetensors: cannot be read \("):
        load_final(folder)


def test_a_scale_for_every_planned_layer(saved):
    _, folder = saved
    scales = load_file(folder / "scales.safetensors")
    del scales["model.encoder.layers.1.fc1"]
    save_file(scales, folder / "scales.safetensors")
    with pytest.raises(
        InputError, match=r"no scale for planned layer 'model.encoder.layers.1.fc1'"
    ):
        load_final(folder)
