"""The models of a benchmark: one float checkpoint in every runtime's form, made once and kept.

Each form is a folder named by what it was made from: the checkpoint's content, the settings and the
code that writes it. A change of any of them makes another folder; nothing old is measured again.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import load_checkpoint, with_context, write_onnx_folder
from whisper_qat.export.runtime_folder import write_runtime_folder
from whisper_qat.measure.systems.openvino_ours import compress
from whisper_qat.measure.systems.system import needed
from whisper_qat.model.checkpoint.info import INFO_NAME
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.ptq.optimum_dynamic import NAME as OPTIMUM_DYNAMIC
from whisper_qat.ptq.round_to_nearest import round_to_nearest
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
    write_manifest,
)
from whisper_qat.shipped import PLANS
from whisper_qat.tasks import quantize_ptq

logger = logging.getLogger(__name__)
WRITTEN_BY = (  # a change in any of these makes new folders
    "export",
    "model",
    "ptq",
    "quant",
    "measure/systems/openvino_ours.py",
    "tasks/benchmark/models.py",
    "tasks/quantize_ptq.py",
)
CONVERTERS = {"ct2-int8": ("ctranslate2",), "openvino": ("openvino", "nncf")}
COPIED = ["tokenizer.json", "preprocessor_config.json"]
WEIGHT_FILES = (".bin", ".onnx", ".safetensors", ".onnx_data", ".onnx.data", ".xml")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One form of the checkpoint; `settings` are those of its maker."""

    name: str
    form: str  # of MAKERS
    settings: dict[str, Any]


MODELS = [
    Model(name="onnx-float32", form="onnx", settings={"type": "none"}),
    Model(name="onnx-int8", form="onnx", settings={"type": "int8"}),
    Model(name="onnx-int4", form="onnx", settings={"type": "int4"}),
    Model(name="onnx-int8-row", form="onnx", settings={"type": "int8", "plan": "int8_row"}),
    Model(name="onnx-int4-row", form="onnx", settings={"type": "int8", "plan": "int4_row"}),
    Model(
        name="onnx-optimum-int8", form="onnx", settings={"type": "int8", "method": OPTIMUM_DYNAMIC}
    ),
    Model(name="checkpoint", form="checkpoint", settings={}),
    Model(name="ct2-float32", form="ct2-float32", settings={}),
    Model(name="ct2-int8", form="ct2-int8", settings={}),
    Model(name="ggml-q8_0", form="ggml", settings={"plan": "ggml_q8_0", "type": "int8"}),
    Model(name="openvino-int8", form="openvino", settings={}),
    Model(name="ggml-q4_0", form="ggml", settings={"plan": "ggml_q4_0", "type": "int4"}),
]


def made(model: Model, source: Path, cache: Path) -> Path:
    """The folder of `model`, written now unless it is there; each is made in its own process."""
    if model.form == "checkpoint":
        return source
    folder = cache / f"{model.name}-{key(source, model.form, model.settings)}"
    if not is_finished(folder):
        logger.info(f"making {folder}")
        in_child(MAKERS[model.form], source, folder, model.settings)
    return folder


def shortened(folder: Path, margin_s: float) -> Path:
    """A converted folder with a dynamic audio context: the same files, another record of it."""
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


def key(source: Path, form: str, settings: dict[str, Any]) -> str:
    """Twelve digits that change with the checkpoint, the settings, the plan or what writes."""
    plan = hash_file(plan_of(settings)) if "plan" in settings else ""
    tools = [version(tool) for tool in CONVERTERS.get(form, ())]
    parts = [hash_folder(source), form, settings, plan, tools, code_hash()]
    content = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def plan_of(settings: dict[str, Any]) -> Path:
    """The shipped plan that `settings` name."""
    return PLANS / f"{settings['plan']}.yaml"


def engine_hash() -> str:
    """Hash of the modules that run a folder: what one benchmark compares is one engine's."""
    return code_hash(("infer", "measure", "data"))


def code_hash(names: tuple[str, ...] = WRITTEN_BY) -> str:
    """Hash of the modules that decide what a folder holds."""
    package = Path(__file__).parents[2]
    files: list[Path] = []
    for name in names:
        path = package / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return hashlib.sha256("".join(map(hash_file, files)).encode()).hexdigest()


def make_onnx(source: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Our graphs: float, quantized as PTQ does it, or as optimum's settings do."""
    if settings["type"] == "none":
        final = with_context(load_checkpoint(source, str(source)), "full", None)
        write_onnx_folder(
            final, source, folder, inputs={"model": hash_folder(source)}, config=settings
        )
        return
    method = settings.get("method", "round-to-nearest")
    plan = plan_of(settings) if "plan" in settings else None
    quantize_ptq.run(
        quantize_ptq.QuantizePtqConfig(
            model_path=str(source), output_path=folder, quantization_type=settings["type"],
            plan=plan, method=method, audio_context="full",
        )
    )  # fmt: skip


def make_ct2_float(source: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Our own writer, float32."""
    write_runtime_folder(
        load_checkpoint(source, str(source)), source, folder, format="ctranslate2",
        requantize=False, inputs={"model": hash_folder(source)}, config=settings,
    )  # fmt: skip


def make_ct2_int8(source: Path, folder: Path, settings: dict[str, Any]) -> None:
    """CTranslate2's own converter: of a float checkpoint ours writes float only."""
    converters = needed("ctranslate2.converters")
    with new_folder(folder) as partial:
        converter = converters.TransformersConverter(str(source), copy_files=COPIED)
        converter.convert(str(partial / "model"), quantization="int8")  # wants a new folder
        for path in (partial / "model").iterdir():
            path.rename(partial / path.name)
        (partial / "model").rmdir()
        inputs = {"model": hash_folder(source)}
        write_manifest(partial, kind="ctranslate2", inputs=inputs, config=settings)


def make_ggml(source: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Every matrix in one of whisper.cpp's block types, by the plan shipped for it."""
    final = load_checkpoint(source, str(source))
    rules = read_rules_file(plan_of(settings))
    info = replace(final.info, quantization_type=settings["type"], method="ptq",
                   ptq_method="round-to-nearest")  # fmt: skip
    final = replace(final, plan=round_to_nearest(final.model, rules), info=info)
    write_runtime_folder(
        final, source, folder, format="ggml", requantize=False,
        inputs={"model": hash_folder(source)}, config=settings,
    )  # fmt: skip


def make_openvino(source: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Our float graphs with weights compressed by OpenVINO's tool; only its files are kept."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        floating = Path(scratch) / "float"
        make_onnx(source, floating, {"type": "none"})
        with new_folder(folder) as partial:
            compress(floating, partial)
            for path in floating.glob("*.json"):
                if path.name != MANIFEST_NAME:
                    shutil.copy(path, partial)
            inputs = {"model": hash_folder(source)}
            write_manifest(partial, kind="openvino", inputs=inputs, config=settings)


MAKERS: dict[str, Callable[[Path, Path, dict[str, Any]], None]] = {
    "onnx": make_onnx,
    "ct2-float32": make_ct2_float,
    "ct2-int8": make_ct2_int8,
    "ggml": make_ggml,
    "openvino": make_openvino,
}


def weight_bytes(folder: Path) -> int:
    """Bytes of the files that hold the model, whatever the runtime."""
    found = [p for p in folder.iterdir() if p.name.endswith(WEIGHT_FILES)]
    if not found:
        raise InputError(f"{folder}: no file of weights ({', '.join(WEIGHT_FILES)})")
    return sum(path.stat().st_size for path in found)
