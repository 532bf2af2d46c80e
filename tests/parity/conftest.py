"""Fixtures of the parity tests: a tiny model, quantized, and the folder written from it."""

import pytest

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.loader import Labeller
from whisper_qat.data.utterances import noise
from whisper_qat.export.onnx.folder import write_onnx_folder
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.model.checkpoint.final import Final, fix_scales
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import TOKEN_TABLE, Rule, default_rules

CONTEXT = AudioContext(mode="dynamic", margin_s=1.0)


CHANNEL = {
    scheme: [
        Rule(pattern=TOKEN_TABLE, scheme="block-int8-32-f16", why="looked up"),
        Rule(pattern=".*", scheme=scheme, why="all"),
    ]
    for scheme in ("int8-dynamic", "int8-row", "int7-row", "int4-row", "int2-row")
}


def final_of(folder, quantization_type):
    model = load_whisper(folder)
    rules = CHANNEL.get(quantization_type) or default_rules(quantization_type, 32)
    made = plan(model, rules) if rules else None
    if made:
        apply_plan(model, made)
        fix_scales(model)
    info = Info(
        quantization_type=quantization_type, method="ptq" if made else "float", fine_tuned=False,
        audio_context={"mode": "dynamic", "margin_s": 1.0},
        base_model={"name": "tiny", "fingerprint": "x"},
    )  # fmt: skip
    return Final(model, made, info)


@pytest.fixture
def written(tiny_whisper, tmp_path, request):
    """(final, folder, material, rules) of a freshly written int8 folder."""
    quantization_type = getattr(request, "param", "int8")
    final = final_of(tiny_whisper, quantization_type)
    folder = tmp_path / "onnx"
    write_onnx_folder(final, tiny_whisper, folder, inputs={}, config={})
    rules = read_rules(tiny_whisper, language="fr", max_new_tokens=8)
    labeller = Labeller.from_pretrained(tiny_whisper, rules.prompt, 256, 448)
    material = noise(Features.from_pretrained(tiny_whisper), CONTEXT, labeller)
    return final, folder, material, rules
