"""Extract the table of a training benchmark: the cost of a step for each kind of training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whisper_qat.report.published.columns import Extracted, column, machine, round_number
from whisper_qat.report.published.reading import ROW

GIB = 2**30
NAMES = {"none": "float"}
COLUMNS = [
    column(ROW, "Training", "text", meaning="full context: 30 s; dynamic: the length of the clip"),
    column("step_s", "Step, s", "number", 2, "median"),
    column("ratio", "× float step", "number", 2, "median over steps on the same clips"),
    column("clips_per_s", "Clips/s", "number", 1),
    column("waiting", "Waiting for data, %", "fraction", 1),
    column("peak_gib", "Peak memory, GiB", "number", 1),
    column("memory_ratio", "× float memory", "number", 2),
    column("of_peak", "Of the matrix-product peak, %", "fraction", 0, "model FLOPs"),
    column("hours", "Job, h", "number", 1, "extrapolated to the clips and epochs in the notes"),
]


def extract_training(report: Mapping[str, Any], manifest: Mapping[str, Any]) -> Extracted:
    """Rows and settings from ``train_speed.json`` and the folder's manifest."""
    config = manifest["config"]
    size = f"{config['per_device_batch_size']} x {config['gradient_accumulation_steps']}"
    data = {"name": f"{Path(config['train_data']).name}, batch {size}", "clips": None}
    return {
        "machine": machine({"cpu": _processors(manifest)}, manifest["threads"]),
        "settings": {
            "model": Path(config["base_model"]).name,
            "test_sets": [data | {"words": None}],
            "normalizer": None,
            "decoding": None,
            "runtime": f"torch {manifest['versions']['torch']}; {report['why']}",
            "audio_context": None,
            "training_seeds": [],
            "intervals": None,
        },
        "columns": COLUMNS,
        "rows": [_row(*pair) for pair in zip(report["rows"], report["job"], strict=True)],
    }


def _processors(manifest: Mapping[str, Any]) -> Extracted:
    """The CPU of the host, named after the GPU if the steps ran on one."""
    cpu = dict(manifest["cpu"])
    if manifest["gpu"]:
        cpu["name"] = f"{manifest['gpu']} on a host with {cpu['name']}"
    return cpu


def _row(row: Mapping[str, Any], job: Mapping[str, Any]) -> Extracted:
    share = job["share_of_peak"]
    return {
        ROW: f"{NAMES.get(row['quantization_type'], row['quantization_type'])}, "
        f"{row['audio_context']} context",
        "step_s": round_number(row["step_s"]),
        "ratio": round_number(row["to_float"]),
        "clips_per_s": round_number(row["clips_per_s"]),
        "waiting": round_number(row["waiting_share"]),
        "peak_gib": round_number(row["peak_bytes"] / GIB),
        "memory_ratio": round_number(row["memory_to_float"]),
        "of_peak": None if share is None else round_number(share),
        "hours": round_number(job["hours"]),
    }
