"""The systems (rows) of an evaluation: the folders to measure, their kinds and their names.

The kind of a row comes from the folder's own record (`whisper_qat.json`), never from its name; a
plain Whisper checkpoint is a float row on torch.
"""

import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import model_bytes
from whisper_qat.infer.transcribe import find_runtime
from whisper_qat.model.checkpoint.info import INFO_NAME, Info, read_info
from whisper_qat.model.checkpoint.load import check_checkpoint, fingerprint, resolve_checkpoint
from whisper_qat.model.plan.plan import PLAN_NAME, read_plan
from whisper_qat.ptq import optimum_dynamic
from whisper_qat.runs.folders import hash_folder, is_finished, read_json, read_manifest

RUNTIME_NAMES = {"onnx": "onnxruntime", "torch": "torch"}
FORMATS = {"onnx": "onnx", "torch": "safetensors"}
PARTS = {
    ("float", False): "base-float",
    ("float", True): "control-float",
    ("ptq", False): "base-ptq",
    ("ptq", True): "control-ptq",
    ("qat", False): "qat",
    ("qat", True): "qat",
}
REMOTE = re.compile(r"ctranslate2:|[\w-][\w.-]*/[\w.-]+$")
ROW_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
BYTES_OF = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1}


@dataclass(frozen=True, kw_only=True)
class RowFolder:
    """One folder to measure; `runtime` is onnx or torch."""

    name: str
    folder: Path
    runtime: str
    fingerprint: str
    info: Info


def open_row(spec: str | Path, name: str | None = None, *, cache: Path | None = None) -> RowFolder:
    """Open a folder as a row; InputError unless it is a converted folder or a checkpoint.

    With a `cache`, a Hub id is also downloaded and `ctranslate2:FOLDER` imported.
    """
    remote = cache is not None and not Path(spec).is_dir() and REMOTE.match(str(spec))
    folder = resolve_checkpoint(str(spec), cache) if remote and cache else Path(spec)
    runtime = find_runtime(folder)
    info = row_info(folder, runtime, str(spec))
    return RowFolder(
        name=name or default_name(info),
        folder=folder,
        runtime=runtime,
        fingerprint=hash_folder(folder),
        info=info,
    )


def row_info(folder: Path, runtime: str, name: str) -> Info:
    """The folder's record; a plain checkpoint counts as float, not fine-tuned, at 30 s."""
    if runtime == "torch":
        check_checkpoint(folder)
    if runtime == "onnx" and not is_finished(folder):
        raise InputError(f"{folder}: unfinished or not converted by us (no manifest.json)")
    if (folder / INFO_NAME).is_file() or runtime == "onnx":
        return read_info(folder)
    return Info(
        quantization_type="none",
        method="float",
        fine_tuned=False,
        audio_context={"mode": "full", "margin_s": 0.0},
        base_model={"name": name, "fingerprint": fingerprint(folder)},
    )


def default_name(info: Info) -> str:
    """The name of a row without a name from the user: its method and quantization type."""
    made = PARTS[info.method, info.fine_tuned]
    if info.quantization_type == "none":
        return made
    way = "" if info.ptq_method in (None, "round-to-nearest") else f"-{info.ptq_method}"
    return f"{made}-{info.quantization_type}{way}"


def parse_compare(words: list[str]) -> dict[str, str]:
    """Parse words NAME=FOLDER; InputError for any other form, a bad or a repeated name."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not equals or not folder or not ROW_NAME.fullmatch(name):
            raise InputError(
                f"--compare {word!r}: expected NAME=FOLDER, NAME of letters and digits"
            )
        if name in found:
            raise InputError(f"--compare {word!r}: the name {name!r} is given twice")
        found[name] = folder
    return found


def open_rows(
    model_path: str, baseline_model: str | None, compare: list[str], cache: Path
) -> tuple[list[RowFolder], str | None, list[str]]:
    """All rows, the baseline's name (None without one) and notes for the user.

    Without `baseline_model` the baseline is the checkpoint that the model's record names.
    """
    with naming_flag("--model_path"):
        model = open_row(model_path, cache=cache)
    with naming_flag("--baseline_model"):
        baseline, notes = open_baseline(model, baseline_model, cache)
    others = []
    for name, folder in parse_compare(compare).items():
        with naming_flag(f"--compare {name}"):
            others.append(open_row(folder, name, cache=cache))
    rows = [model]
    if baseline is not None and baseline.fingerprint != model.fingerprint:
        rows.insert(0, baseline)
    # A folder named again in --compare is one row under that name, not two seeds of one.
    named_again = {other.fingerprint: other.name for other in others}
    rows = [row for row in rows if row.fingerprint not in named_again] + others
    if baseline is not None and baseline.fingerprint in named_again:
        baseline = replace(baseline, name=named_again[baseline.fingerprint])
    repeated = [name for name, n in Counter(row.name for row in rows).items() if n > 1]
    if repeated:
        raise InputError(
            f"two rows are called {repeated[0]!r}; give the one in --compare another NAME"
        )
    return rows, baseline.name if baseline is not None else None, notes


@contextmanager
def naming_flag(flag: str) -> Iterator[None]:
    """Add the flag to the message of an InputError that is raised inside the block."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


def open_baseline(
    model: RowFolder, baseline_model: str | None, cache: Path
) -> tuple[RowFolder | None, list[str]]:
    """The baseline row: `baseline_model`, else the model's base checkpoint if it is available."""
    if baseline_model is not None:
        row = open_row(baseline_model, cache=cache)
        if row.name == model.name and row.fingerprint != model.fingerprint:
            row = replace(row, name="baseline")
        return row, []
    if model.info.method == "float" and not model.info.fine_tuned:
        return model, []
    return _recorded_baseline(model, cache)


def _recorded_baseline(model: RowFolder, cache: Path) -> tuple[RowFolder | None, list[str]]:
    name = model.info.base_model["name"]
    make = how_to_make(name, model.info)
    try:
        row = open_row(name, "base-float", cache=cache)
    except InputError as error:
        return None, [f"no baseline row: {error}; with that checkpoint at hand: {make}"]
    if row.info.base_model["fingerprint"] != model.info.base_model["fingerprint"]:
        return None, [f"no baseline row: {name} is not the checkpoint trained from; {make}"]
    return row, [
        f"baseline: {name}, from the model's record, on torch with the full audio context; for a "
        f"baseline on the same runtime and context: {make}"
    ]


def how_to_make(name: str, info: Info) -> str:
    """The command that writes a baseline folder with the model's audio context."""
    context = info.audio_context
    flags = f"--audio_context {context['mode']}"
    if context["mode"] == "dynamic":
        flags += f" --margin_s {context['margin_s']:g}"
    return (
        f"python scripts/convert_qat_to_quantized.py --model_path {name} --output_path BASE "
        f"--quantization_type none {flags}, then --baseline_model BASE"
    )


def describe(row: RowFolder) -> dict[str, Any]:
    """The row's entry in measurements.json, without the measured values."""
    sizes = row_sizes(row)
    return {
        "name": row.name,
        "folder": str(row.folder),
        "fingerprint": row.fingerprint,
        "runtime": RUNTIME_NAMES[row.runtime],
        "format": FORMATS[row.runtime],
        "method": row.info.method,
        "quantization_type": row.info.quantization_type,
        "fine_tuned": row.info.fine_tuned,
        "audio_context": row.info.audio_context,
        "model_bytes": sizes["model"],
        "fp32_bytes": sizes["fp32"],
        "fp16_bytes": sizes["fp32"] // 2,
        "scheme": scheme_name(row),
        "plan": plan_fingerprint(row),
        "training_seed": row.info.training_seed,
        "ptq_method": row.info.ptq_method,
        "base_model": row.info.base_model,
    }


def row_sizes(row: RowFolder) -> dict[str, int]:
    """Size in bytes of the weight files, and of the same weights in float32."""
    if row.runtime == "onnx":
        fp32 = int(read_manifest(row.folder)["fp32_bytes"])
        return {"model": model_bytes(row.folder), "fp32": fp32}
    files = sorted(row.folder.glob("*.safetensors"))
    weights = [path for path in files if path.name != "scales.safetensors"]
    return {
        "model": sum(path.stat().st_size for path in files),
        "fp32": sum(safetensors_fp32_bytes(path) for path in weights),
    }


def safetensors_fp32_bytes(path: Path) -> int:
    """Bytes that the tensors of a file would take in float32, from its header alone."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    ends = [(e["data_offsets"][1] - e["data_offsets"][0]) // BYTES_OF[e["dtype"]] for e in tensors]
    return 4 * sum(ends)


def plan_fingerprint(row: RowFolder) -> str | None:
    """A hash that is equal for rows whose layers have equal schemes; None without a plan."""
    if not (row.folder / PLAN_NAME).is_file():
        return None
    layers = read_json(row.folder / PLAN_NAME)["layers"]
    content = json.dumps(sorted((layer["name"], layer["scheme"]) for layer in layers))
    return hashlib.sha256(content.encode()).hexdigest()


def scheme_name(row: RowFolder) -> str | None:
    """Schemes of at least a tenth of the quantized layers, most frequent first; None for float."""
    if row.info.quantization_type == "none":
        return None
    if row.info.ptq_method == optimum_dynamic.NAME:  # follows no plan
        return optimum_dynamic.SCHEME
    schemes = Counter(scheme.name for scheme in read_plan(row.folder).quantized().values())
    common = [(name, n) for name, n in schemes.most_common() if n >= schemes.total() / 10]
    return " + ".join(name for name, _ in common)
