"""The ONNX folder: written whole or not at all, and left alone when it is what is asked for.

Conversion and the PTQ baseline share it, so that their folders differ in codes and scales only.
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
FLOAT32 = {"dtype": "float32", "torch_dtype": "float32"}  # whatever the checkpoint was stored in
MAX_MARGIN_S = 30.0
# 2: step.onnx writes its cache in place; 3: the decoder scales queries, not scores
GRAPH_VERSION = 3
OTHERS = {  # input -> what a folder made from another one is called
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
    """InputError for a margin without a dynamic context, or out of range."""
    if margin_s is not None and mode != "dynamic":
        raise InputError("--margin_s: only with --audio_context dynamic")
    if margin_s is not None and not 0 <= margin_s <= MAX_MARGIN_S:
        raise InputError(f"--margin_s {margin_s}: expected seconds between 0 and {MAX_MARGIN_S:g}")


def is_up_to_date(
    output: Path, inputs: dict[str, str], config: dict[str, Any], kind: str = KIND
) -> bool:
    """True when `output` is this very conversion; InputError when it is anything else."""
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
    """`final` with another audio context, when one is asked for."""
    if mode is None:
        return final
    kept = final.info.audio_context.get("margin_s", 0.0)
    margin = 0.0 if mode == "full" else kept if margin_s is None else margin_s
    context = {"mode": mode, "margin_s": margin}
    return replace(final, info=replace(final.info, audio_context=context))


def write_graphs(shape: WhisperShape, weights: Weights, folder: Path) -> None:
    """Writes encoder, merged decoder, and the two graphs of this project's own engine.

    InputError when a planned layer or a tensor found no place.
    """
    build_encoder(shape, weights, folder)
    build_decoder(shape, weights, folder)
    weights.check_all_used()
    build_step(folder)


def model_bytes(folder: Path) -> int:
    """Size of all .onnx files and their external data, and of nothing else."""
    return sum(p.stat().st_size for p in folder.rglob("*") if ".onnx" in p.name)


def write_onnx_folder(
    final: Final, source: Path, output: Path, *, inputs: dict[str, str], config: dict[str, Any],
    check: Callable[[Path], None] | None = None,
    graphs: Callable[[WhisperShape, Weights, Path], None] = write_graphs,
    arrange: Callable[[Path, str], None] | None = None,
) -> None:  # fmt: skip
    """Graphs of `final` and all that goes with them; tokenizer and features come from `source`.

    `graphs` writes the ONNX files. `check` sees the folder before it counts as finished, and may
    raise. After it `arrange` may give the files, of a quantization type, the layout of another
    runtime.
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
    """What a report needs to know of the folder: how it was made and how large it is."""
    info = asdict(final.info)
    names = ("method", "quantization_type", "fine_tuned", "audio_context", "base_model",
             "training_seed", "ptq_method", "trained_context")  # fmt: skip
    return {name: info[name] for name in names} | {
        "graph_version": GRAPH_VERSION,
        "model_bytes": model_bytes(folder),
        "fp32_bytes": checkpoint_weights(final).fp32_bytes,
    }
