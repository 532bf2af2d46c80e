"""What a small evaluation needs: folders of each role from one tiny Whisper, and clips."""

import json

import numpy as np
import soundfile
import torch

from tests.infer.onnx_folders import onnx_folder, ptq_folder
from whisper_qat.model.checkpoint.final import fix_scales, save_final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import fingerprint, load_whisper
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules

RATE = 16_000
CONTEXT = {"mode": "dynamic", "margin_s": 1.0}


def trained(base, folder, method, change):
    """A final/ folder as training leaves it: every weight moved by about `change`."""
    model = load_whisper(base)
    rng = torch.Generator().manual_seed(len(method))  # control and QAT move apart
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(change * torch.randn(parameter.shape, generator=rng))
    chosen = plan(model, default_rules("int8", 32)) if method == "qat" else None
    if chosen is not None:
        apply_plan(model, chosen)
        fix_scales(model)
    info = Info(
        quantization_type="int8" if method == "qat" else "none",
        method=method,
        fine_tuned=True,
        audio_context=CONTEXT,
        base_model={"name": str(base), "fingerprint": fingerprint(base)},
        training_seed=7,
    )
    save_final(model, folder, plan=chosen, info=info, companions=base)
    return folder


def all_roles(base, root, change=0.01):
    """Row name -> folder, as the quickstart makes them."""
    context = {"audio_context": "dynamic", "margin_s": 1.0}
    qat = trained(base, root / "qat-final", "qat", change)
    control = trained(base, root / "control-final", "float", change)
    return {
        "base": base,
        "base-float": onnx_folder(base, root / "base-float", **context),
        "base-ptq": ptq_folder(base, root / "base-ptq", **context),
        "qat-final": qat,
        "qat": onnx_folder(qat, root / "qat"),
        "control": onnx_folder(control, root / "control"),
        "control-ptq": ptq_folder(control, root / "control-ptq"),
    }


def write_clips(folder, seconds=(1.0, 1.5, 2.0), name="test.jsonl"):
    """A manifest of noise that claims to be speech."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(seconds))
    lines = []
    for i, length in enumerate(seconds):
        audio = rng.normal(scale=0.1, size=round(length * RATE))
        soundfile.write(folder / f"clip{i}.wav", audio, RATE)
        lines.append({"id": f"clip{i}", "audio": f"clip{i}.wav", "text": f"phrase numéro {i}"})
    manifest = folder / name
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return manifest
