"""The share of weight codes that differ between a QAT model and PTQ, as proof of training.

Zero means that PTQ gives the same model without any training.
"""

from typing import Any

import numpy as np

from whisper_qat.export.onnx.read import read_codes, read_grids
from whisper_qat.tasks.evaluate.rows import RowFolder


def count_changed_codes(rows: list[RowFolder]) -> list[dict[str, Any]]:
    """Compare each QAT row with each PTQ row of its base or control; all are ONNX folders."""
    onnx = [row for row in rows if row.runtime == "onnx"]
    return [
        entry
        for row in onnx
        for other in onnx
        if row.info.method == "qat" and other.info.method == "ptq" and _comparable(row, other)
        for entry in compare(row, other)
    ]


def _comparable(a: RowFolder, b: RowFolder) -> bool:
    return (
        a.info.quantization_type == b.info.quantization_type
        and a.info.base_model["fingerprint"] == b.info.base_model["fingerprint"]
    )


def compare(row: RowFolder, other: RowFolder) -> list[dict[str, Any]]:
    """Compare the layers that both quantize to the same grid; empty when there are none."""
    mine, theirs = read_codes(row.folder), read_codes(other.folder)
    grids, others = read_grids(row.folder), read_grids(other.folder)
    shared = [name for name in mine if grids[name] == others.get(name)]
    codes = sum(mine[name].size for name in shared)
    changed = sum(int(np.count_nonzero(mine[name] != theirs[name])) for name in shared)
    entry = {
        "row": row.name,
        "against": other.name,
        "layers": len(shared),
        "codes": codes,
        "changed": changed,
    }
    return [entry | {"share": changed / codes}] if codes else []
