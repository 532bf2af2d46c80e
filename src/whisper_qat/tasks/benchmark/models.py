"""Models of the benchmark: one float checkpoint converted for every runtime, once, and kept.

`measure.systems.registry` lists the forms; the ONNX ones of this project's own engine
are written here, as `quantize_ptq` writes them.

Each form is a folder whose name depends on the checkpoint's content, the settings and the code that
writes it. A change of any of them gives a new folder, so an outdated one is never measured.
"""

import hashlib
import json
import logging
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import load_checkpoint, with_context, write_onnx_folder
from whisper_qat.measure.systems.runtime import CHECKPOINT, Form
from whisper_qat.model.checkpoint.info import INFO_NAME
from whisper_qat.runs.child_process import in_child
from whisper_qat.runs.folders import (
    MANIFEST_NAME,
    hash_file,
    hash_folder,
    is_finished,
    new_folder,
    read_json,
    read_manifest,
    write_json,
)
from whisper_qat.shipped import PLANS
from whisper_qat.tasks import quantize_ptq

logger = logging.getLogger(__name__)
WRITTEN_BY = (  # a change in any of these makes new folders
    "export",
    "model",
    "ptq",
    "quant",
    "measure/systems",
    "tasks/benchmark/models.py",
    "tasks/quantize_ptq.py",
)
WEIGHT_FILES = (".bin", ".onnx", ".safetensors", ".onnx_data", ".onnx.data", ".xml")


def build_form(form: Form, source: Path, cache: Path) -> Path:
    """The folder of `form`; if it is missing, it is written in a process of its own."""
    if form.kind == CHECKPOINT:
        return source
    folder = cache / f"{form.name}-{cache_key(source, form)}"
    if not is_finished(folder):
        logger.info(f"making {folder}")
        in_child(form.make or make_onnx, source, folder, form.settings, plan_of(form.settings))
    return folder


def with_short_context(folder: Path, margin_s: float) -> Path:
    """A converted folder with a dynamic audio context: the same files with a changed record."""
    short = folder.with_name(f"{folder.name}-short-{margin_s:g}")
    if not is_finished(short):
        with new_folder(short) as partial:
            for path in folder.iterdir():
                if path.name not in (INFO_NAME, MANIFEST_NAME):
                    os.link(path, partial / path.name)
            context = {"mode": "dynamic", "margin_s": margin_s}
            write_json(
                partial / INFO_NAME, read_json(folder / INFO_NAME) | {"audio_context": context}
            )
            write_json(partial / MANIFEST_NAME, read_manifest(folder) | {"audio_context": context})
    return short


def cache_key(source: Path, form: Form) -> str:
    """Twelve hex digits that change with the checkpoint, settings, plan or writing code."""
    plan = plan_of(form.settings)
    tools = [version(tool) for tool in form.converters]
    parts = [hash_folder(source), form.kind, form.settings, hash_file(plan) if plan else "", tools]
    content = json.dumps([*parts, code_hash()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def plan_of(settings: dict[str, Any]) -> Path | None:
    """The shipped plan that `settings` name, if any."""
    return PLANS / f"{settings['plan']}.yaml" if "plan" in settings else None


def engine_hash() -> str:
    """Hash of the modules that run a folder, so that one benchmark uses one engine version."""
    return code_hash(("infer", "measure", "data"))


def code_hash(names: tuple[str, ...] = WRITTEN_BY) -> str:
    """Hash of the modules that determine the content of a folder."""
    package = Path(__file__).parents[2]
    files: list[Path] = []
    for name in names:
        path = package / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return hashlib.sha256("".join(map(hash_file, files)).encode()).hexdigest()


def make_onnx(source: Path, folder: Path, settings: dict[str, Any], plan: Path | None) -> None:
    """Write our ONNX graphs: float, quantized by our PTQ, or with optimum's settings."""
    if settings["type"] == "none":
        final = with_context(load_checkpoint(source, str(source)), "full", None)
        write_onnx_folder(
            final, source, folder, inputs={"model": hash_folder(source)}, config=settings
        )
        return
    method = settings.get("method", "round-to-nearest")
    quantize_ptq.run(
        quantize_ptq.QuantizePtqConfig(
            model_path=str(source), output_path=folder, quantization_type=settings["type"],
            plan=plan, method=method, audio_context="full",
        )
    )  # fmt: skip


def weight_bytes(folder: Path) -> int:
    """Size in bytes of the model files of any runtime."""
    found = [p for p in folder.iterdir() if p.name.endswith(WEIGHT_FILES)]
    if not found:
        raise InputError(f"{folder}: no file of weights ({', '.join(WEIGHT_FILES)})")
    return sum(path.stat().st_size for path in found)
