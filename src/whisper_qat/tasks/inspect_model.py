"""Inspect an ONNX folder: the bytes and bit widths of its parts, and the kernels that run.

Two views of one folder: its files, byte by byte, and the graph that onnxruntime optimizes from them
with the session options of this project. Fails when a kernel that runs is not the planned one.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.errors import GateError, InputError
from whisper_qat.export.onnx import inventory
from whisper_qat.export.onnx.inventory import Inventory, Stored
from whisper_qat.infer.kernels.saturation import describe_cpu
from whisper_qat.infer.onnx.optimized import optimized_model
from whisper_qat.model.plan.plan import HEAD, PLAN_NAME, Plan, read_plan
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.parity.kernels import RunGraph, faults, merged, run_graph
from whisper_qat.quant.scheme import FLOAT
from whisper_qat.report.inspection import show
from whisper_qat.runs.folders import read_manifest, write_json

NAMED_FAULTS = 3
UNCHECKED = "no plan: kernels are listed, not checked"


@dataclass(frozen=True, kw_only=True)
class InspectModelConfig:
    """Print where every byte of an ONNX folder sits and which kernels onnxruntime runs for it.

    Args:
        folder: ONNX folder written by convert or quantize
        json: also write the inspection to this JSON file
    """

    folder: Path = field(metadata={"positional": True})
    json: Path | None = None


def run(config: InspectModelConfig) -> None:
    """Print the tables; GateError afterwards when a kernel that runs is not the planned one."""
    if not config.folder.is_dir():
        raise InputError(f"{config.folder}: no such folder")
    report = inspect(config.folder)
    show(report)
    if config.json is not None:
        write_json(config.json, report)
    if report["faults"]:
        raise GateError(f"{config.folder}: {list_faults(report['faults'])}")


def list_faults(lines: list[str]) -> str:
    more = f"; and {len(lines) - NAMED_FAULTS} more" if len(lines) > NAMED_FAULTS else ""
    return "; ".join(lines[:NAMED_FAULTS]) + more


def inspect(folder: Path) -> dict[str, Any]:
    """The whole inspection as plain values; sizes in bytes, shares as fractions."""
    manifest = read_manifest(folder)
    paths = inventory.graph_files(folder)
    graphs = {path.name: run_graph(optimized_model(path)) for path in paths}
    found = inventory.take(folder)
    plan = read_plan(folder) if (folder / PLAN_NAME).is_file() else None
    fp32_bytes = manifest["fp32_bytes"]
    return {
        "folder": str(folder),
        "machine": describe_cpu(),
        "total_bytes": found.total,
        "fp32_bytes": fp32_bytes,
        "share_of_fp32": found.total / fp32_bytes,
        "files": found.files,
        "kinds": kinds(found, plan),
        "layers": layers(found.tensors, plan, graphs.values()),
        "duplicates": [duplicate(group) for group in inventory.duplicates(found.tensors)],
        "graphs": {
            name: {"ops": graph.counts, "moves": graph.moves} for name, graph in graphs.items()
        },
        **check_plan(plan, manifest["quantization_type"], graphs.values()),
    }


def check_plan(
    plan: Plan | None, quantization_type: str, graphs: Iterable[RunGraph]
) -> dict[str, Any]:
    """Deviations from the plan; a quantized folder of another tool has no plan to check."""
    if plan is None and quantization_type != "none":
        return {"faults": [], "check": UNCHECKED}
    schemes = plan.quantized() if plan else {}
    planned = {entry.name: schemes.get(entry.name) for entry in plan.layers} if plan else {}
    return {"faults": faults(planned, graphs), "check": f"{len(planned)} planned layers"}


def kinds(found: Inventory, plan: Plan | None) -> dict[str, int]:
    """Bytes by kind of content; they add up to the total."""
    planned = {entry.name for entry in plan.layers} if plan else set()
    result: dict[str, int] = {}
    for tensor in {t.place or (t.file, t.name): t for t in found.tensors}.values():
        kind = kind_of(tensor, planned)
        result[kind] = result.get(kind, 0) + tensor.bytes
    result["graph: nodes and names"] = found.graph_bytes
    result["padding to pages"] = found.padding_bytes
    return dict(sorted(result.items(), key=lambda item: -item[1]))


def kind_of(tensor: Stored, planned: set[str]) -> str:
    if tensor.part == "codes":
        return "codes"
    if tensor.part == "weight" and "layer_norm" in tensor.layer:
        return f"norms, {tensor.dtype}"
    names = {"factors": "factors", "scales": "scales", "bias": "biases", "constant": "constants"}
    if tensor.part in names:
        return f"{names[tensor.part]}, {tensor.dtype}"
    left = "left float by plan" if tensor.layer in planned else "float"
    return f"weights {left}, {tensor.dtype}"


def layers(
    tensors: Iterable[Stored], plan: Plan | None, graphs: Iterable[RunGraph]
) -> list[dict[str, Any]]:
    """One entry per layer, in file order: plan, parts with bytes and dtype, kernels."""
    schemes = {entry.name: entry.scheme for entry in plan.layers} if plan else {}
    quantized = plan.quantized() if plan else {}
    runs = merged(graphs)
    parts: dict[str, dict[str, Any]] = {}
    for tensor in tensors:
        if tensor.part != inventory.CONSTANT:
            of_layer = parts.setdefault(tensor.layer, {})
            of_layer[tensor.part] = {"bytes": tensor.bytes, "dtype": tensor.dtype}
    result = []
    for name in [*parts, *(name for name in schemes if name not in parts)]:
        scheme = quantized.get(name)
        nodes = [name, HEAD] if name == TABLE else [name]
        result.append({
            "name": name,
            "scheme": schemes.get(name, FLOAT),
            "bits": scheme.bits if scheme else None,
            "block_size": scheme.block_size if scheme else None,
            "parts": parts.get(name, {}),
            # Once, though the engine's graphs run what the merged decoder runs.
            "kernels": list(dict.fromkeys(str(k) for node in nodes for k in runs.get(node, []))),
        })  # fmt: skip
    return result


def duplicate(group: list[Stored]) -> dict[str, Any]:
    stored = [asdict(tensor) for tensor in group]
    return {
        "names": [f"{tensor['file']}: {tensor['name']}" for tensor in stored],
        "sha256": group[0].digest,
        "wasted_bytes": inventory.wasted_bytes(group),
    }
