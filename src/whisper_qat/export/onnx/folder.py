"""Writing the ONNX folder: completely or not at all, and not again when it is up to date.

Conversion and the PTQ baseline share this code, so their folders differ in codes and scales only.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.decoder import build_decoder
from whisper_qat.export.onnx.encoder import build_encoder
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.onnx.step import build_step
from whisper_qat.export.source import checkpoint_weights
from whisper_qat.export.weights import Weights
from whisper_qat.model.checkpoint.final import Final, copy_companions, load_final
from whisper_qat.model.checkpoint.info import INFO_NAME, Info
from whisper_qat.model.checkpoint.load import fingerprint, load_whisper, resolve_checkpoint
from whisper_qat.runs.folders import new_folder, read_json, write_json, write_manifest
from whisper_qat.runs.settings import (
    finished_manifest,
    refuse_other_inputs,
    refuse_other_settings,
)

KIND = "onnx"
FULL_CONTEXT = {"mode": "full", "margin_s": 0.0}
FLOAT32 = {"dtype": "float32", "torch_dtype": "float32"}  # however the checkpoint was stored
MAX_MARGIN_S = 30.0
# 2: step.onnx writes its cache in place; 3: the decoder scales queries, not scores
GRAPH_VERSION = 3
OTHERS = {  # input -> description of a folder that was made from another such input
    "model": "another checkpoint",
    "calibration clips": "other calibration clips",
    "plan": "another plan",
}


def checkpoint_folder(model_path: str, output_path: Path) -> Path:
    """The local folder of `model_path`; a Hub id or a ctranslate2: import is fetched first."""
    if Path(model_path).is_dir():
        return Path(model_path)
    if Path(model_path).exists():
        raise InputError(f"--model_path {model_path}: is a file; expected a checkpoint folder")
    return resolve_checkpoint(model_path, output_path.parent)


def check_context(mode: str | None, margin_s: float | None) -> None:
    """InputError for a margin that is out of range or given without a dynamic context."""
    if margin_s is not None and mode != "dynamic":
        raise InputError("--margin_s: only with --audio_context dynamic")
    if margin_s is not None and not 0 <= margin_s <= MAX_MARGIN_S:
        raise InputError(f"--margin_s {margin_s}: expected seconds between 0 and {MAX_MARGIN_S:g}")


def is_up_to_date(
    output: Path, inputs: dict[str, str], config: dict[str, Any], kind: str = KIND
) -> bool:
    """True when `output` holds exactly this conversion; InputError when it holds anything else."""
    where, advice = f"--output_path {output}", "give another --output_path or remove it"
    manifest = finished_manifest(output, where, kind=kind, advice=advice)
    if manifest is None:
        return False
    if kind == KIND and manifest.get("graph_version") != GRAPH_VERSION:
        raise InputError(
            f"{where}: its graphs are of an earlier version (graph_version "
            f"{manifest.get('graph_version')}, now {GRAPH_VERSION}); {advice}"
        )
    refuse_other_inputs(where, manifest["inputs"], inputs, advice=advice, names=OTHERS)
    refuse_other_settings(where, manifest["config"], config, advice=advice, ignore_former=True)
    return True


def load_checkpoint(folder: Path, name: str) -> Final:
    """A final/ folder, or a plain checkpoint as a float model called `name`."""
    if (folder / INFO_NAME).is_file():
        return load_final(folder)
    info = Info(
        quantization_type="none",
        method="float",
        fine_tuned=False,
        audio_context=FULL_CONTEXT,
        base_model={"name": name, "fingerprint": fingerprint(folder)},
    )
    return Final(load_whisper(folder), None, info)


def with_context(final: Final, mode: str | None, margin_s: float | None) -> Final:
    """`final` with the requested audio context, unchanged when none is requested."""
    if mode is None:
        return final
    kept = final.info.audio_context.get("margin_s", 0.0)
    margin = 0.0 if mode == "full" else kept if margin_s is None else margin_s
    context = {"mode": mode, "margin_s": margin}
    return replace(final, info=replace(final.info, audio_context=context))


def write_graphs(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes encoder, merged decoder, and the two graphs of this project's own engine.

    InputError when a planned layer or a tensor was not used in any graph.
    """
    build_encoder(shape, weights, folder)
    build_decoder(shape, weights, folder)
    weights.check_all_used()
    build_step(folder)


def model_bytes(folder: Path) -> int:
    """Total size of the .onnx files and their external data, other files excluded."""
    return sum(p.stat().st_size for p in folder.rglob("*") if ".onnx" in p.name)


def write_onnx_folder(
    final: Final, source: Path, output: Path, *, inputs: dict[str, str], config: dict[str, Any],
    check: Callable[[Path], None] | None = None,
    graphs: Callable[[WhisperShape, Weights, Path], None] = write_graphs,
    arrange: Callable[[Path, str], None] | None = None,
) -> None:  # fmt: skip
    """Write the graphs of `final`, with the tokenizer and feature settings from `source`.

    `graphs` writes the ONNX files. `check` is called with the folder before it counts as finished,
    and may raise. `arrange` is called after it, with the folder and its quantization type, to give
    the files the layout of another runtime.
    """
    with new_folder(output) as folder:
        shape = WhisperShape.from_config(final.model.config.to_dict())
        graphs(shape, checkpoint_weights(final), folder)
        write_json(folder / "config.json", read_json(source / "config.json") | FLOAT32)
        copy_companions(source, folder)
        if final.plan is not None:
            final.plan.write(folder)
        write_json(folder / INFO_NAME, asdict(final.info))
        if check is not None:
            check(folder)
        if arrange is not None:
            arrange(folder, final.info.quantization_type)
        extra = manifest_facts(final, folder)
        write_manifest(folder, kind=KIND, inputs=inputs, config=config, extra=extra)


def manifest_facts(final: Final, folder: Path) -> dict[str, Any]:
    """Facts about the folder for reports: how it was made and how large it is."""
    info = asdict(final.info)
    names = ("method", "quantization_type", "fine_tuned", "audio_context", "base_model",
             "training_seed", "ptq_method", "trained_context")  # fmt: skip
    return {name: info[name] for name in names} | {
        "graph_version": GRAPH_VERSION,
        "model_bytes": model_bytes(folder),
        "fp32_bytes": checkpoint_weights(final).fp32_bytes,
    }
