"""A training benchmark's folder as a published table."""

from tests.report.published.test_extract import labels
from whisper_qat.report.published.extract import extract
from whisper_qat.report.published.reading import table_of
from whisper_qat.runs.folders import hash_file, write_json, write_manifest


def speed(kind, context, step_s, share=None):
    row = {
        "quantization_type": kind, "audio_context": context, "step_s": step_s,
        "to_float": step_s / 2, "clips_per_s": 8.0, "waiting_share": 0.01,
        "peak_bytes": 3 * 2**29, "memory_to_float": 1.25,
    }  # fmt: skip
    return row, {"share_of_peak": share, "hours": 4.4}


def test_training_benchmark_gives_a_row_for_each_kind_and_context(tmp_path):
    folder = tmp_path / "step"
    pairs = [speed("none", "full", 2.0), speed("int8", "full", 2.5, 0.16)]
    report = {"rows": [p[0] for p in pairs], "job": [p[1] for p in pairs], "why": "bf16; teacher"}
    folder.mkdir()
    write_json(folder / "train_speed.json", report)
    config = {
        "base_model": "/models/v02", "train_data": "data/telephone-fr",
        "per_device_batch_size": 8, "gradient_accumulation_steps": 2,
    }  # fmt: skip
    inputs = {"base_model": "v02"}
    write_manifest(
        folder, kind="training benchmark", inputs=inputs, config=config, extra={"threads": 16}
    )
    record = extract(folder, labels(section="training"))
    table = table_of(record, tmp_path / "new.json")
    assert record["source"]["results_sha256"] == hash_file(folder / "train_speed.json")
    assert table.rows == [
        {"row": "float, full context", "step_s": 2.0, "ratio": 1.0, "clips_per_s": 8.0,
         "waiting": 0.01, "peak_gib": 1.5, "memory_ratio": 1.25, "of_peak": None, "hours": 4.4},
        {"row": "int8, full context", "step_s": 2.5, "ratio": 1.25, "clips_per_s": 8.0,
         "waiting": 0.01, "peak_gib": 1.5, "memory_ratio": 1.25, "of_peak": 0.16, "hours": 4.4},
    ]  # fmt: skip
    assert table.settings["test_sets"][0]["name"] == "telephone-fr, batch 8 x 2"
