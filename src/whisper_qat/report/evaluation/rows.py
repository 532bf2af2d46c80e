"""The measured rows of an evaluation folder: ``measurements.json`` and ``rows/ROW/CORPUS.jsonl``.

A row is one system as it was measured: a model in one number format, on one runtime, with one audio
context. Its role in the comparisons (base, control, QAT) follows from its recorded method, never
from its name, so a renamed row cannot enter the wrong comparison. Nothing is scored here.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json

BASE_FLOAT, BASE_PTQ, CONTROL, CONTROL_PTQ, QAT = (
    "base-float",
    "base-ptq",
    "control",
    "control-ptq",
    "qat",
)
ROLES = {  # (method, fine-tuned by this project) -> role
    ("float", False): BASE_FLOAT,
    ("ptq", False): BASE_PTQ,
    ("float", True): CONTROL,
    ("ptq", True): CONTROL_PTQ,
    ("qat", True): QAT,
    ("qat", False): QAT,
}
ROLE_WORDS = {
    BASE_FLOAT: "base, float",
    BASE_PTQ: "base, PTQ",
    CONTROL: "control, float",
    CONTROL_PTQ: "control, PTQ",
    QAT: "QAT",
}
CLIP_FIELDS = ("id", "reference", "hypothesis", "duration_s")
ROW_FIELDS = ("name", "runtime", "format", "method", "quantization_type", "fine_tuned")


@dataclass(frozen=True, kw_only=True)
class ClipResult:
    """One clip as transcribed by one row; ``wall_s`` is None where the clip was not timed."""

    id: str
    reference: str
    hypothesis: str
    duration_s: float
    wall_s: float | None = None
    speaker: str | None = None
    block: str | None = None
    chunks: int = 1


@dataclass(frozen=True, kw_only=True)
class EvaluatedSystem:
    """One measured system; ``record`` is its entry in measurements.json, unchanged."""

    name: str
    role: str
    runtime: str
    quantization_type: str
    scheme: str | None
    context: tuple[str, float]  # mode, margin in seconds
    training_seed: int | None
    ptq_method: str | None
    base_model: tuple[
        str | None, str | None
    ]  # name and fingerprint of the checkpoint it started from
    record: dict[str, Any]
    plan: str | None = None  # fingerprint: which layer has which scheme

    @property
    def grid(self) -> str | None:
        """The scheme without the number type of its scales; rows of equal grids are comparable."""
        return None if self.scheme is None else self.scheme.replace("-f16", "")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured: ``clips[row name, corpus name]`` in the order of measurement."""

    rows: list[EvaluatedSystem]
    corpora: list[str]  # the measured ones
    clips: dict[tuple[str, str], list[ClipResult]]
    measurements: dict[str, Any]
    folder: Path


def read_evaluation(folder: str | Path) -> Evaluation:
    """Read the folder of an evaluation; InputError names the file, line and field at fault."""
    path = Path(folder) / "measurements.json"
    measurements = read_json(path)
    _require(measurements, ("rows", "corpora", "normalizers"), path)
    rows = [read_row(record, path) for record in measurements["rows"]]
    if not rows:
        raise InputError(f"{path}: nothing was measured; name at least one model to evaluate")
    corpora = [c["name"] for c in measurements["corpora"] if c["status"] == "measured"]
    clips = {}
    for row in rows:
        for corpus in corpora:
            file = clips_path(folder, row.name, corpus)
            if file.is_file():
                clips[row.name, corpus] = read_clips(file)
    return Evaluation(
        rows=rows, corpora=corpora, clips=clips, measurements=measurements, folder=Path(folder)
    )


def clips_path(folder: str | Path, row: str, corpus: str) -> Path:
    """Path of the clips of one row on one corpus; '/' in a Hub id becomes '--'."""
    return Path(folder) / "rows" / row / f"{corpus.replace('/', '--')}.jsonl"


def read_row(record: dict[str, Any], path: Path) -> EvaluatedSystem:
    """One entry of measurements.json as an EvaluatedSystem."""
    _require(record, ROW_FIELDS, path)
    kind = (record["method"], bool(record["fine_tuned"]))
    if kind not in ROLES:
        raise InputError(
            f"{path}: row {record['name']}: method {kind[0]!r}: expected float, ptq or qat"
        )
    # Untrained rows may record a seed too (of a random sample); that is not a training seed.
    row_was_trained = ROLES[kind] in (CONTROL, CONTROL_PTQ, QAT)
    context = record.get("audio_context") or {"mode": "full", "margin_s": 0.0}
    base = record.get("base_model") or {}
    return EvaluatedSystem(
        name=record["name"],
        role=ROLES[kind],
        runtime=record["runtime"],
        quantization_type=record["quantization_type"],
        scheme=record.get("scheme"),
        context=_context(context),
        training_seed=record.get("training_seed") if row_was_trained else None,
        ptq_method=record.get("ptq_method"),
        base_model=(base.get("name"), base.get("fingerprint")),
        record=record,
        plan=record.get("plan"),
    )


def _context(context: dict[str, Any]) -> tuple[str, float]:
    """Mode and margin; the margin of a full context is unused, so it is set to 0."""
    mode = context["mode"]
    return mode, 0.0 if mode == "full" else float(context.get("margin_s") or 0.0)


def read_clips(path: Path) -> list[ClipResult]:
    """The clips of one JSONL file; InputError for a repeated id."""
    clips: dict[str, ClipResult] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        clip = _read_clip(line, f"{path}: line {number}")
        if clip.id in clips:
            raise InputError(f"{path}: line {number}: clip {clip.id} occurs twice")
        clips[clip.id] = clip
    return list(clips.values())


def _read_clip(line: str, where: str) -> ClipResult:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: not valid JSON ({error.msg}); run the evaluation again to repair it"
        ) from None
    _require(record, CLIP_FIELDS, where)
    optional = {k: record.get(k) for k in ("wall_s", "speaker", "block")}
    required = {k: record[k] for k in CLIP_FIELDS}
    return ClipResult(**required, **optional, chunks=record.get("chunks") or 1)


def _require(record: Any, fields: tuple[str, ...], where: str | Path) -> None:
    if not isinstance(record, dict):
        raise InputError(f"{where}: expected an object with {', '.join(fields)}")
    missing = [field for field in fields if field not in record]
    if missing:
        raise InputError(f"{where}: missing field {missing[0]!r}; required are {', '.join(fields)}")


def describe_method(row: EvaluatedSystem) -> str:
    """Training and quantization of the row in words, with the PTQ method where it is recorded."""
    words = ROLE_WORDS[row.role]
    return f"{words} ({row.ptq_method})" if row.ptq_method else words


def describe_context(row: EvaluatedSystem) -> str:
    """The audio context in words, with the margin of silence that follows the clip."""
    mode, margin_s = row.context
    return "full (30 s)" if mode == "full" else f"{mode} (+{margin_s:g} s)"
