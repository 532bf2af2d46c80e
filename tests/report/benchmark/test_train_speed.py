"""Tables of the training benchmark with known figures."""

from whisper_qat.report.benchmark.train_speed import show

ROW = {
    "quantization_type": "int8", "audio_context": "full", "step_s": 2.5, "to_float": 1.125,
    "clips_per_s": 3.2, "waiting_share": 0.0125, "peak_bytes": 3 * 2**30, "memory_to_float": 1.05,
    "model_flops_per_s": 1.5e12,
}  # fmt: skip
JOB = {
    "quantization_type": "int8", "audio_context": "full", "frames": 3000, "flops_per_clip": 8.4e12,
    "flops": 2.52e18, "hours": 4.24, "share_of_peak": 0.41,
}  # fmt: skip


def test_figures_and_units():
    text = show({"rows": [ROW], "job": [JOB], "why": "products in bf16"})
    for expected in ("products in bf16", "2.50 s", "1.12", "3.20", "1.2 %", "3.00 GiB",
                     "1.05", "1.5e+12", "full (3000 frames)", "8.4e+12", "2.52e+18", "4.2",
                     "41 %"):  # fmt: skip
        assert expected in text


def test_without_a_gpu_there_is_no_share():
    assert "no GPU" in show({"rows": [ROW], "job": [JOB | {"share_of_peak": None}], "why": ""})
