"""A new scheme takes its own file, its test and one call of `register`: no other file changes.

The scheme of `tests.quant.toy_scheme` is planned, trained, saved, converted with parity, loaded and
asked for tokens, through the library's own commands.
"""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.quant import toy_scheme
from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from whisper_qat.export.onnx.read import read_layer
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.kernels.kernel_check import check_kernel
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.model.checkpoint.final import load_final
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import STORED, TOKEN_TABLE, read_plan
from whisper_qat.quant import learned_scale, least_squares_scale, numerics, packing
from whisper_qat.quant.registry import parse_scheme, records, register, unregister
from whisper_qat.runs.folders import read_json, write_json
from whisper_qat.tasks.convert import convert
from whisper_qat.tasks.train import train_qat

NAME = "int8-power-of-two"
GENERATION = "generation_config.json"
BEFORE = records()
PLAN = f"""
- pattern: {"|".join(STORED)}
  scheme: float16
- pattern: .*
  scheme: {NAME}
"""


@pytest.fixture(autouse=True)
def scheme():
    register(toy_scheme.RECORD)
    yield toy_scheme.PowerOfTwoScheme()
    unregister(toy_scheme.PowerOfTwoScheme)
    assert records() == BEFORE


@pytest.fixture
def whisper(tiny_whisper_folder):
    """A tiny Whisper with short transcripts: random weights decode up to the last position."""
    folder = tiny_whisper_folder()
    write_json(folder / GENERATION, read_json(folder / GENERATION) | {"max_new_tokens": 8})
    return folder


def oracle(weight):
    """Codes less zero point [N, blocks, 64] and scales [N, blocks] of `weight` [N, K], by numpy."""
    parts = np.pad(weight, ((0, 0), (0, -weight.shape[1] % 64))).reshape(len(weight), -1, 64)
    amax = np.abs(parts).max(-1)
    with np.errstate(divide="ignore"):
        scale = np.exp2(np.ceil(np.log2((amax / np.float32(127)).astype(np.float64))))
    codes = np.rint(parts / np.where(scale > 0, scale, np.inf)[..., None])
    return codes, scale.astype(np.float32)


def hard_weight():
    """Rows of noise, of ties, of a largest value that needs the whole range, and of zeros."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(40, 200)) * np.logspace(-6, 6, 40)[:, None]
    ties = np.arange(-100, 100)[None] / 2
    return np.concatenate([noise, ties, ties * 127 / 50, ties * 0]).astype(np.float32)


def test_it_is_found_by_name_only_while_it_is_registered(scheme):
    assert parse_scheme(NAME) == scheme
    unregister(toy_scheme.PowerOfTwoScheme)
    with pytest.raises(ValueError, match=f"unknown scheme '{NAME}'"):
        parse_scheme(NAME)
    register(toy_scheme.RECORD)
    with pytest.raises(ValueError, match=f"int8-dynamic, int8-row, .*, {NAME}$"):
        parse_scheme("int8")


def test_fake_quantization_is_the_oracle_s_grid(scheme):
    weight = hard_weight()
    codes, scale = oracle(weight)
    verbs, tensor = numerics.of_weight(scheme), torch.from_numpy(weight).requires_grad_()
    found, zero_point = verbs.choose_params(tensor, scheme)
    assert (found.numpy() == scale).all() and (np.frexp(scale[scale > 0])[0] == 0.5).all()
    stored = verbs.quantize(tensor, found, scheme).numpy()
    assert (stored.reshape(codes.shape) == codes + zero_point).all()
    values = verbs.fake_quantize(tensor, scheme)
    assert (values.detach().numpy() == (codes * scale[..., None]).reshape(43, -1)[:, :200]).all()
    values.backward(torch.ones_like(values))
    assert (tensor.grad == 1).all()
    assert (packing.unpack(packing.pack(stored, scheme), scheme) == stored).all()


def test_learned_and_fitted_scales_stay_powers_of_two(scheme):
    weight = torch.from_numpy(hard_weight())
    fitted, _ = least_squares_scale.choose_params(weight, scheme)
    scale = torch.full((43, 4), 0.3, requires_grad=True)
    values = learned_scale.fake_quantize(weight, scale, scheme)
    values.sum().backward()
    assert scale.grad.abs().sum() > 0 and (values % 0.5 == 0).all()
    assert (np.frexp(fitted[fitted > 0].numpy())[0] == 0.5).all()


def test_its_kernel_is_checked(scheme):
    assert check_kernel(scheme)


def test_a_whisper_is_trained_converted_and_decodes(scheme, whisper, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    train_qat.run(train_config(
        base_model=str(whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "run"), plan=plan, scales="learned", scale_lr_ratio=1.0,
        max_samples=2, max_eval_samples=1, num_epochs=1, per_device_batch_size=2,
        gradient_accumulation_steps=1, learning_rate=1e-3, warmup_ratio=0.0,
        audio_context="dynamic", margin_s=0.5, num_workers=0,
    ))  # fmt: skip
    final, onnx = tmp_path / "run" / "final", tmp_path / "onnx"
    planned = read_plan(final).quantized()
    assert TOKEN_TABLE in planned and set(planned.values()) == {scheme}
    saved = torch.cat([s.flatten() for s in load_file(final / "scales.safetensors").values()])
    assert (saved[saved > 0].frexp().mantissa == 0.5).all()

    convert.run(convert.ConvertConfig(
        model_path=str(final), output_path=onnx, parity_positions=30, parity_transcripts=2,
    ))  # fmt: skip
    parity = read_json(onnx / "parity.json")
    assert parity["passed"] and len(parity["arithmetic"]["layers"]) == len(planned) + 1
    layers = fake_quantized(load_final(final).model)
    for name in planned:
        written = read_layer(onnx, name)
        assert (written.codes == layers[name].codes().numpy()).all()
        assert (written.scales == layers[name].scale().numpy()).all()

    mel = np.random.default_rng(1).normal(size=(80, 200)).astype(np.float32)
    rules = read_rules(onnx, language="fr", max_new_tokens=4)
    assert len(greedy(OnnxBackend.from_folder(onnx, 1), mel, rules).margins) >= 1
