"""Teacher-forced part of an evaluation: choose the KL reference of each row, and measure.

By default a row is compared with the float control of its own training seed, so that KL shows the
effect of quantization and not that of another seed. Rows of an untrained checkpoint are compared
with the first float control, and all rows with the baseline where there is no control.
`--kl_reference` names one reference for all.
"""

from pathlib import Path

from whisper_qat.data.corpora.test_sets import Corpus
from whisper_qat.errors import GateError, InputError, nearest
from whisper_qat.measure.teacher_forced import ForcedJob, ForcedRow, measure_forced
from whisper_qat.report.evaluation.forced_records import forced_path
from whisper_qat.runs.child_process import ChildDied, in_child
from whisper_qat.tasks.evaluate.rows import RowFolder


def references(
    rows: list[RowFolder], baseline: str | None, chosen: str | None
) -> dict[str, str | None]:
    """Row name -> name of the reference row of its KL; None where there is none."""
    names = [row.name for row in rows]
    if chosen is not None and chosen not in names:
        raise InputError(
            f"--kl_reference {chosen!r}: no such row{nearest(chosen, names)}; expected one of "
            f"{', '.join(names)}"
        )
    return {row.name: chosen or _default(row, rows, baseline) for row in rows}


def _default(row: RowFolder, rows: list[RowFolder], baseline: str | None) -> str | None:
    """The float control most similar to the row, else the baseline; a control is its own one."""
    controls = [r for r in rows if r.info.method == "float" and r.info.fine_tuned]
    if row in controls:
        return row.name
    best = max(controls, key=lambda control: _likeness(control, row), default=None)
    return best.name if best is not None else baseline


def _likeness(control: RowFolder, row: RowFolder) -> tuple[bool, bool, bool]:
    a, b = control.info, row.info
    return (
        a.base_model.get("fingerprint") == b.base_model.get("fingerprint"),
        b.fine_tuned and a.training_seed is not None and a.training_seed == b.training_seed,
        a.audio_context == b.audio_context,
    )


def measure_all_forced(
    rows: list[RowFolder],
    corpora: list[Corpus],
    folder: Path,
    reference_of: dict[str, str | None],
    *,
    threads: int,
    language: str,
) -> None:
    """Measure all rows, in one process for each reference; existing results are not repeated."""
    by_name = {row.name: row for row in rows}
    measured = {c.name: c.clips for c in corpora if c.reason is None}
    for reference in dict.fromkeys(reference_of.values()):
        mine = [row for row in rows if reference_of[row.name] == reference]
        job = ForcedJob(
            reference=None
            if reference is None
            else _forced_row(by_name[reference], reference, measured, folder),
            rows=[_forced_row(row, reference, measured, folder) for row in mine],
            corpora=measured,
            threads=threads,
            language=language,
        )
        _run(job, folder)


def _forced_row(row: RowFolder, reference: str | None, corpora: dict, folder: Path) -> ForcedRow:
    return ForcedRow(
        name=row.name,
        folder=str(row.folder),
        runtime=row.runtime,
        paths={corpus: forced_path(folder, row.name, reference, corpus) for corpus in corpora},
    )


def _run(job: ForcedJob, folder: Path) -> None:
    try:
        in_child(measure_forced, job)
    except ChildDied as error:
        raise GateError(
            f"teacher-forced pass: {error} (out of memory?); what was measured is kept in {folder}"
        ) from None
    except InputError as error:
        raise InputError(f"teacher-forced pass: {error}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; what was measured is kept in {folder}, and the same command goes on "
            "from there"
        ) from None
