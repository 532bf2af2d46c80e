"""The main job on real weights and speech: train, convert with parity, PTQ, evaluate, report."""

from pathlib import Path

import pytest

from tests.tasks.train_configs import train_config
from whisper_qat.export.onnx.read import read_codes
from whisper_qat.model.checkpoint.final import load_final
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.runs.folders import read_json, read_manifest
from whisper_qat.tasks import quantize_ptq
from whisper_qat.tasks.convert import convert
from whisper_qat.tasks.evaluate import evaluate
from whisper_qat.tasks.train import train_qat

CLIPS = 6


def train(base, speech, folder, quantization_type):
    train_qat.run(train_config(
        base_model=str(base), train_data=str(speech), output_dir=str(folder), max_samples=8,
        max_eval_samples=2, num_epochs=1, per_device_batch_size=4, gradient_accumulation_steps=2,
        learning_rate=2e-5, audio_context="dynamic", num_workers=1,
        quantization_type=quantization_type,
    ))  # fmt: skip
    return folder / "final"


@pytest.fixture(scope="module")
def job(whisper_base, telephone_fr, tmp_path_factory):
    """Folders of the job by name: final, quantized, control, ptq, base, report."""
    root: Path = tmp_path_factory.mktemp("job")
    final = train(whisper_base, telephone_fr, root / "int8", "int8")
    folders = {"final": final, "quantized": root / "quantized", "ptq": root / "ptq",
               "base": root / "base", "report": root / "report"}  # fmt: skip
    convert.run(convert.ConvertConfig(
        model_path=str(final), output_path=folders["quantized"], parity_positions=60,
    ))  # fmt: skip
    context = {"audio_context": "dynamic", "margin_s": 3.0}
    quantize_ptq.run(quantize_ptq.QuantizePtqConfig(
        model_path=str(whisper_base), output_path=folders["ptq"], **context
    ))  # fmt: skip
    convert.run(convert.ConvertConfig(
        model_path=str(whisper_base), output_path=folders["base"], quantization_type="none",
        **context,
    ))  # fmt: skip
    evaluate.run(evaluate.EvaluateConfig(
        model_path=str(folders["quantized"]), baseline_model=str(folders["base"]),
        test_data=str(telephone_fr), compare=[f"ptq={folders['ptq']}"], max_samples=CLIPS,
        output_dir=folders["report"],
    ))  # fmt: skip
    return folders


@pytest.mark.slow
def test_the_files_hold_the_trained_codes(job):
    layers = fake_quantized(load_final(job["final"]).model)
    codes = read_codes(job["quantized"])
    assert len(codes) == 6 * 6 + 6 * 10 + 1
    assert all((layers[name].codes().numpy() == codes[name]).all() for name in codes)


@pytest.mark.slow
def test_parity_passed_on_real_speech(job):
    report = read_json(job["quantized"] / "parity.json")
    assert report["passed"] and report["material"]["kind"] == "speech"
    layers = report["arithmetic"]["layers"]
    assert sum(x["wrong_weight_codes"] + x["wrong_activation_codes"] for x in layers) == 0
    assert report["wiring"]["relative"] < 1e-4


@pytest.mark.slow
def test_training_changed_codes_and_ptq_only_codes_and_scales(job):
    trained, rounded = read_codes(job["quantized"]), read_codes(job["ptq"])
    assert trained.keys() == rounded.keys()
    assert any((trained[name] != rounded[name]).any() for name in trained)
    sizes = [read_manifest(job[name])["model_bytes"] for name in ("quantized", "ptq")]
    assert abs(sizes[0] - sizes[1]) < 1000


@pytest.mark.slow
def test_the_report_measures_every_row_in_french(job):
    results = read_json(job["report"] / "results.json")
    scores = {s["row"]: s for s in results["scores"]
              if s["normalizer"] == "card" and s["corpus"] == "all"}  # fmt: skip
    assert len(scores) == 3
    for score in scores.values():
        assert score["clips"] == CLIPS and score["wer"]["rate"] < 0.6
    assert "<html" in (job["report"] / "report.html").read_text()


@pytest.mark.slow
def test_everything_again_does_nothing(job, whisper_base, telephone_fr, caplog):
    train(whisper_base, telephone_fr, job["final"].parent, "int8")
    convert.run(convert.ConvertConfig(
        model_path=str(job["final"]), output_path=job["quantized"], parity_positions=60,
    ))  # fmt: skip
    printed = caplog.text
    assert "nothing to do" in printed and "up to date" in printed
