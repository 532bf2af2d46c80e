"""The systems (rows) of a benchmark: every variant of every runtime, and folders of the user."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError, nearest
from whisper_qat.infer.transcribe import find_runtime, read_context
from whisper_qat.measure.systems.ours import OURS
from whisper_qat.measure.systems.registry import RUNTIMES
from whisper_qat.measure.systems.runtime import ONNX, Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup, SystemMissing, require_module
from whisper_qat.runs.folders import hash_folder
from whisper_qat.tasks.benchmark.clips import SHORT
from whisper_qat.tasks.benchmark.models import build_form, weight_bytes, with_short_context
from whisper_qat.tasks.evaluate.rows import parse_compare

SIDES = {True: "ours", False: "peer"}  # as measured.json has it


@dataclass(frozen=True, kw_only=True)
class BenchmarkRow:
    """One system: a variant of a runtime, with the checkpoint in the form it needs."""

    runtime: Runtime
    variant: Variant

    @property
    def name(self) -> str:
        return self.variant.name

    @property
    def policy(self) -> str:
        return self.runtime.short_policy if self.variant.short else self.runtime.policy


@dataclass(frozen=True, kw_only=True)
class ReadyRow:
    """A row whose model folder exists."""

    row: BenchmarkRow
    folder: Path
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return self.row.name

    def setup(self, threads: int, language: str, max_new_tokens: int) -> Setup:
        """The settings that a worker process is opened with."""
        return Setup(
            folder=self.folder, threads=threads, language=language,
            max_new_tokens=max_new_tokens, options=self.options,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """The row's entry in measured.json."""
        return {
            "name": self.name,
            "side": SIDES[self.row.runtime.is_ours],
            "policy": self.row.policy,
            "short": self.row.variant.short,
            "folder": str(self.folder),
            "fingerprint": hash_folder(self.folder),
            "model_bytes": weight_bytes(self.folder),
            "options": self.options,
        }


ROWS = [BenchmarkRow(runtime=r, variant=variant) for r in RUNTIMES for variant in r.variants]
NAMES = [row.name for row in ROWS]


def choose(names: list[str]) -> list[BenchmarkRow]:
    """The rows with these names, or all rows if there are no names; InputError for unknown ones."""
    for name in names:
        if name not in NAMES:
            raise InputError(f"--rows {name!r}: expected {', '.join(NAMES)}{nearest(name, NAMES)}")
    return [row for row in ROWS if not names or row.name in names]


def available(rows: list[BenchmarkRow]) -> tuple[list[BenchmarkRow], list[str]]:
    """Rows whose runtime is installed, and a message for each that is left out."""
    kept, notes = [], []
    for row in rows:
        try:
            for module in row.runtime.modules:
                require_module(module)
            kept.append(row)
        except SystemMissing as error:
            notes.append(f"{row.name}: left out: {error}")
    return kept, notes


def ready(row: BenchmarkRow, source: Path, cache: Path, margin_s: float) -> ReadyRow:
    """The row with its folder, which is written if it is missing."""
    variant = row.variant
    folder = build_form(variant.form, source, cache)
    if variant.short and row.runtime.is_ours:
        folder = with_short_context(folder, margin_s)
    options = variant.options | ({"margin_s": margin_s} if variant.short else {})
    return ReadyRow(row=row, folder=folder, options=options)


def rows_of_folders(words: list[str]) -> list[ReadyRow]:
    """Check the words NAME=FOLDER and return rows of these converted folders (other weights)."""
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
        policy = f"{OURS.policy}: {context.mode}; weights of its own"
        variant = Variant(name=name, form=Form(name="given", kind=ONNX))
        row = BenchmarkRow(runtime=replace(OURS, policy=policy), variant=variant)
        found.append(ReadyRow(row=row, folder=folder, options={}))
    return found


def fits(row: BenchmarkRow, kind: str) -> bool:
    """True when a row is measured on clips of this kind."""
    return kind == SHORT or not row.variant.short
