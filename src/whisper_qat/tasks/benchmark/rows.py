"""The rows of a benchmark: which runtime runs which form of the checkpoint, and by what policy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError, nearest
from whisper_qat.infer.transcribe import find_runtime, read_context
from whisper_qat.measure.systems import (
    faster_whisper,
    openvino_ours,
    ours,
    transformers_torch,
    whisper_cpp,
)
from whisper_qat.measure.systems.faster_whisper import open_faster_whisper
from whisper_qat.measure.systems.openvino_ours import open_openvino
from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.system import Peer, PeerMissing, Setup, needed
from whisper_qat.measure.systems.transformers_torch import open_transformers
from whisper_qat.measure.systems.whisper_cpp import open_whisper_cpp
from whisper_qat.runs.folders import hash_folder
from whisper_qat.tasks.benchmark.clips import SHORT
from whisper_qat.tasks.benchmark.models import MODELS, made, shortened, weight_bytes
from whisper_qat.tasks.evaluate.rows import parse_compare

Opener = Callable[[Setup], Peer]
OURS, PEER = "ours", "peer"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A runtime on a form of the checkpoint (`model`).

    `short` rows hear the clip and a margin instead of 30 s and are measured on short clips only.
    """

    name: str
    opener: Opener
    model: str
    policy: str
    side: str = PEER
    modules: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    short: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadyRow:
    """A row with its folder."""

    row: Row
    folder: Path
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return self.row.name

    def setup(self, threads: int, language: str, max_new_tokens: int) -> Setup:
        """What a process is opened with."""
        return Setup(
            folder=self.folder, threads=threads, language=language,
            max_new_tokens=max_new_tokens, options=self.options,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """The row's entry in the record."""
        return {
            "name": self.name,
            "side": self.row.side,
            "policy": self.row.policy,
            "short": self.row.short,
            "folder": str(self.folder),
            "fingerprint": hash_folder(self.folder),
            "model_bytes": weight_bytes(self.folder),
            "options": self.options,
        }


def _ours(name: str, model: str, **changes: Any) -> Row:
    settings = {"policy": ours.POLICY, "side": OURS} | changes
    return Row(name=name, opener=open_ours, model=model, **settings)


def _faster(name: str, model: str, kind: str, **changes: Any) -> Row:
    return Row(
        name=name, opener=open_faster_whisper, model=model, modules=("faster_whisper",),
        options={"compute_type": kind}, **({"policy": faster_whisper.POLICY} | changes),
    )  # fmt: skip


def _cpp(name: str, model: str, **changes: Any) -> Row:
    return Row(
        name=name, opener=open_whisper_cpp, model=model, modules=("_pywhispercpp",),
        **({"policy": whisper_cpp.POLICY} | changes),
    )  # fmt: skip


ROWS = [
    _ours("ours-float32", "onnx-float32"),
    _ours("ours-int8", "onnx-int8"),
    _ours("ours-int4", "onnx-int4"),
    _ours("ours-int8-row", "onnx-int8-row"),
    _ours("ours-int4-row", "onnx-int4-row"),
    _ours("ours-int8-short", "onnx-int8", short=True),
    _ours("ours-int4-short", "onnx-int4", short=True),
    _ours("ours-int8-row-short", "onnx-int8-row", short=True),
    _ours("ours-int4-row-short", "onnx-int4-row", short=True),
    _ours("optimum-int8", "onnx-optimum-int8", side=PEER,
          policy="optimum's int8 settings on our encoder and merged decoder, our search"),
    Row(name="transformers-float32", opener=open_transformers, model="checkpoint",
        policy=transformers_torch.POLICY),
    _faster("faster-whisper-float32", "ct2-float32", "float32"),
    _faster("faster-whisper-int8", "ct2-int8", "int8"),
    _faster("faster-whisper-int8-short", "ct2-int8", "int8", short=True,
            policy=faster_whisper.POLICY_SHORT),
    _cpp("whisper.cpp-q8_0", "ggml-q8_0"),
    _cpp("whisper.cpp-q4_0", "ggml-q4_0"),
    _cpp("whisper.cpp-q8_0-short", "ggml-q8_0", short=True, policy=whisper_cpp.POLICY_SHORT),
    Row(name="openvino-int8", opener=open_openvino, model="openvino-int8",
        policy=openvino_ours.POLICY, modules=("openvino", "nncf")),
]  # fmt: skip
NAMES = [row.name for row in ROWS]


def choose(names: list[str]) -> list[Row]:
    """The rows of these names, all for none; InputError for an unknown one."""
    for name in names:
        if name not in NAMES:
            raise InputError(f"--rows {name!r}: expected {', '.join(NAMES)}{nearest(name, NAMES)}")
    return [row for row in ROWS if not names or row.name in names]


def available(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Rows whose runtime is installed, and a line for each that is left out."""
    kept, notes = [], []
    for row in rows:
        try:
            for module in row.modules:
                needed(module)
            kept.append(row)
        except PeerMissing as error:
            notes.append(f"{row.name}: left out: {error}")
    return kept, notes


def ready(row: Row, source: Path, cache: Path, margin_s: float) -> ReadyRow:
    """The row with its folder, which is made if need be."""
    model = next(model for model in MODELS if model.name == row.model)
    folder = made(model, source, cache)
    if row.short and row.side == OURS:
        folder = shortened(folder, margin_s)
    options = row.options | ({"margin_s": margin_s} if row.short else {})
    return ReadyRow(row=row, folder=folder, options=options)


def given(words: list[str]) -> list[ReadyRow]:
    """Rows of converted folders, NAME=FOLDER, with weights of their own; checked here."""
    found = []
    for name, spec in parse_compare(words).items():
        folder = Path(spec)
        if name in NAMES:
            raise InputError(f"--compare {name}={spec}: a row of that name is there already")
        if find_runtime(folder) != "onnx":
            raise InputError(
                f"--compare {name}={spec}: a checkpoint; convert it first "
                "(scripts/convert_qat_to_quantized.py)"
            )
        context = read_context(folder)
        policy = f"{ours.POLICY}: {context.mode}; weights of its own"
        row = Row(name=name, opener=open_ours, model="given", policy=policy, side=OURS)
        found.append(ReadyRow(row=row, folder=folder, options={}))
    return found


def fits(row: Row, kind: str) -> bool:
    """Whether a row is measured on clips of this kind."""
    return kind == SHORT or not row.short
