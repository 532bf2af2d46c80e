"""Join evaluations made on different days, such as one for each training seed, into one report."""

import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_qat.errors import InputError
from whisper_qat.report.evaluation import headline
from whisper_qat.report.evaluation.page import render
from whisper_qat.report.evaluation.pool import pool
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.runs.folders import (
    hash_file,
    is_finished,
    new_folder,
    read_manifest,
    write_manifest,
)

logger = logging.getLogger(__name__)
KIND = "evaluation"


@dataclass(frozen=True, kw_only=True)
class PoolEvaluationsConfig:
    """Join evaluation folders into one report, pooled over training seeds.

    The folders must be of the same clips, decoding and normalisers. Speed and memory are left out,
    because evaluations of different days cannot be compared in them.

    Args:
        evaluations: folders written by evaluate, or copies of their measurements.json, rows and
            teacher_forced
        output_dir: new folder for the joined measurements, results and report
    """

    evaluations: list[str]
    output_dir: Path

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise InputError("--evaluations: expected one folder or more")
        for folder in self.evaluations:
            if not (Path(folder) / "measurements.json").is_file():
                raise InputError(
                    f"--evaluations {folder}: no measurements.json; expected a folder written by "
                    "evaluate"
                )


def run(config: PoolEvaluationsConfig) -> None:
    """Join, summarise and write the report; GateError when a QAT row has the codes of a PTQ row."""
    check_replaceable(config.output_dir)
    with new_folder(config.output_dir) as folder:
        pool([Path(one) for one in config.evaluations], folder, sys.argv)
        print(headline.text(summarize(folder)))
        render(folder)
        inputs = {f: hash_file(Path(f) / "measurements.json") for f in config.evaluations}
        write_manifest(folder, kind=KIND, inputs=inputs, config=asdict(config))
    logger.info(f"report: {config.output_dir / 'report.html'}")


def check_replaceable(folder: Path) -> None:
    """InputError for an existing folder that is no evaluation, which writing would replace."""
    if folder.exists() and not (is_finished(folder) and read_manifest(folder)["kind"] == KIND):
        raise InputError(
            f"--output_dir {folder}: exists and is no evaluation; give another folder or remove it"
        )
