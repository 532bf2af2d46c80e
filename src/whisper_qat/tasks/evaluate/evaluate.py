"""Evaluate models on corpora, one model (a row of the report) after another, in one report.

Every row runs in a separate process, with the same decoder and the same clips. The result of each
clip is on disk before the next one starts, so an interrupted evaluation continues where it stopped,
and added rows are measured alone. Because rows are measured one after another, their speeds are
comparable only on a quiet machine; the benchmark task interleaves systems instead. Teacher-forced
measures come last, in other processes, and do not affect the time or memory of a row.
"""

import logging
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from whisper_qat.data.audio.features import PADDING_POLICY
from whisper_qat.data.corpora.named import DEFAULT_CONFIG
from whisper_qat.data.corpora.test_sets import Corpus, check_names, gather
from whisper_qat.errors import GateError, InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.long_form import chunks
from whisper_qat.measure.row import CorpusJob, RowJob, RowMeasure, measure_row
from whisper_qat.measure.torch_row import measure_torch_row
from whisper_qat.metrics.normalizers.registry import NORMALIZERS, get_normalizer
from whisper_qat.report.evaluation import headline
from whisper_qat.report.evaluation.page import render
from whisper_qat.report.evaluation.rows import clips_path
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.runs.child_process import ChildDied, in_child
from whisper_qat.runs.environment import cpu, git_revision, gpu, package_versions
from whisper_qat.runs.folders import (
    MANIFEST_NAME,
    is_finished,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
)
from whisper_qat.runs.locks import folder_lock
from whisper_qat.runs.settings import check_clips, check_settings
from whisper_qat.tasks.evaluate.codes_changed import count_changed_codes
from whisper_qat.tasks.evaluate.forced import measure_all_forced, references
from whisper_qat.tasks.evaluate.rows import RowFolder, describe, open_rows

logger = logging.getLogger(__name__)
KIND = "evaluation"
TASK = "transcribe"
ROW_NAME = "row.json"
MEASURES = {"onnx": measure_row, "torch": measure_torch_row}
MAY_CHANGE = ("baseline_model", "teacher_forced", "kl_reference")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Measure WER, CER, size, memory and speed of a model and of what it is compared with.

    Args:
        model_path: the model: a folder written by convert, or a checkpoint (runs on torch)
        output_dir: folder for measurements, results and report; an interrupted evaluation continues
            there
        baseline_model: system that the differences are measured against (default: the checkpoint
            trained from)
        corpora: names from configs/corpora.yaml, manifests, data folders or Hub ids
        test_data: a manifest or data folder; its test split when it has one
        compare: further systems, each as NAME=FOLDER
        max_samples: evaluate at most this many clips of each corpus, drawn at random with the seed
        threads: threads of each ONNX operator; unset: every core that the process may use
        language: language of the audio; an English-only checkpoint does not use it
        max_new_tokens: largest number of tokens per 30 s (default: the checkpoint's own limit)
        fallback: decode a chunk that repeats itself again, by sampling, as transcribe does; without
            it the repetition counts as errors
        seed: seed of the draw
        corpora_config: file that defines the names of corpora
        normalizers: text normalisers for WER; the first one leads the report
        teacher_forced: also measure the loss on the reference text, and the KL divergence from a
            float system; takes about half of the systems' own time again
        kl_reference: system that KL is measured against (default: the float control of the same
            training seed, else the baseline)
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "systems": ("model_path", "baseline_model", "compare"),
        "data": ("corpora", "test_data", "corpora_config", "max_samples", "language", "seed"),
        "decoding": ("threads", "max_new_tokens", "fallback"),
        "measures": ("normalizers", "teacher_forced", "kl_reference"),
        "output": ("output_dir",),
    }  # fmt: skip

    model_path: str
    output_dir: Path
    baseline_model: str | None = None
    corpora: list[str] = field(default_factory=list)
    test_data: str | None = None
    compare: list[str] = field(default_factory=list)
    max_samples: int | None = None
    threads: int | None = None
    language: str = "fr"
    max_new_tokens: int | None = None
    fallback: bool = False
    seed: int = 0
    corpora_config: Path = DEFAULT_CONFIG
    normalizers: list[str] = field(default_factory=lambda: list(NORMALIZERS))
    teacher_forced: bool = False
    kl_reference: str | None = None

    def __post_init__(self) -> None:
        check_names(self.corpora, self.test_data)
        if not self.normalizers:
            raise InputError(f"--normalizers: expected one or more of {', '.join(NORMALIZERS)}")
        for name in self.normalizers:
            get_normalizer(name)
        for name in ("threads", "max_samples", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} {value}: expected a number from 1")


def run(config: EvaluateConfig) -> None:
    """Measure, write the report and print its headline.

    GateError when nothing could be measured, or when a QAT row has the codes of a PTQ row.
    """
    cache = config.output_dir.parent
    rows, baseline, notes = open_rows(
        config.model_path, config.baseline_model, config.compare, cache
    )
    reference_of = references(rows, baseline, config.kl_reference)
    with folder_lock(config.output_dir) as folder:
        check_settings(folder, settings(config, rows))
        finished = {
            "inputs": {r.name: r.fingerprint for r in rows},
            "config": changeable_settings(config),
        }
        if is_finished(folder) and settings_of_report(read_manifest(folder)) == finished:
            logger.info(f"{folder}: finished with these settings; nothing to measure")
            print(headline.text(read_json(folder / "results.json")))
            logger.info(f"report: {folder / 'report.html'}")
            return
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        for note in notes:
            logger.info(note)
        corpora = gather_corpora(config, folder)
        measures = {row.name: measure(config, row, corpora, folder) for row in rows}
        if config.teacher_forced:
            measure_all_forced(
                rows, corpora, folder, reference_of,
                threads=num_threads(config), language=config.language,
            )  # fmt: skip
        found = measurements(config, rows, baseline, corpora, measures)
        write_json(folder / "measurements.json", found | {"kl_reference": reference_of})
        print(headline.text(summarize(folder)))
        logger.info(f"report: {render(folder)}")
        write_manifest(folder, kind=KIND, inputs=finished["inputs"], config=asdict(config))


def changeable_settings(config: EvaluateConfig) -> dict[str, Any]:
    """Settings that may differ between the runs of one folder; only the report depends on them."""
    return {name: getattr(config, name) for name in MAY_CHANGE}


def settings_of_report(manifest: dict[str, Any]) -> dict[str, Any]:
    """The rows and settings that a finished folder's report was written with."""
    config = {name: manifest["config"].get(name) for name in MAY_CHANGE}
    return {"inputs": manifest["inputs"], "config": config}


def settings(config: EvaluateConfig, rows: list[RowFolder]) -> dict[str, Any]:
    """Settings that must not change between the runs that fill one folder."""
    kept = ("corpora", "test_data", "max_samples", "language", "max_new_tokens", "seed")
    values = {name: getattr(config, name) for name in kept}
    if config.fallback:
        values["fallback"] = str(Fallback())
    return values | {
        "normalizers": config.normalizers,
        "threads": num_threads(config),
        "rows": {row.name: row.fingerprint for row in rows},
    }


def num_threads(config: EvaluateConfig) -> int:
    """The configured number of threads, or the cores that this process may run on."""
    if config.threads is not None:
        return config.threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gather_corpora(config: EvaluateConfig, folder: Path) -> list[Corpus]:
    """Collect the corpora and their clips; GateError when none of them can be measured."""
    corpora = gather(
        config.corpora,
        config.test_data,
        corpora_config=config.corpora_config,
        max_samples=config.max_samples,
        seed=config.seed,
    )
    for corpus in corpora:
        announce(corpus)
    if all(corpus.reason is not None for corpus in corpora):
        reasons = "; ".join(f"{corpus.name}: {corpus.reason}" for corpus in corpora)
        raise GateError(f"no corpus could be measured: {reasons}")
    check_clips(folder, {c.name: c.fingerprint for c in corpora if c.reason is None})
    return corpora


def announce(corpus: Corpus) -> None:
    """Log the clips of a corpus that will be measured, and those that will not, with the reason."""
    if corpus.reason is not None:
        logger.warning(f"{corpus.name}: not measured: {corpus.reason}")
        return
    facts = corpus.describe()
    logger.info(
        f"{corpus.name}: {facts['clips']:,} clips, {facts['audio_s'] / 60:.1f} min of audio"
    )
    if corpus.left_out:
        first = corpus.left_out[0]
        logger.info(f"  {len(corpus.left_out)} left out, e.g. {first.id}: {first.reason}")


def measure(
    config: EvaluateConfig, row: RowFolder, corpora: list[Corpus], folder: Path
) -> dict[str, Any]:
    """Measure one row in a separate process, or read its earlier measurements."""
    record = folder / "rows" / row.name / ROW_NAME
    jobs = [
        CorpusJob(name=c.name, clips=c.clips, path=clips_path(folder, row.name, c.name))
        for c in corpora
        if c.reason is None
    ]
    # A corpus that could not be reached when the row was measured may be there now.
    if record.is_file() and all(job.path.is_file() for job in jobs):
        return read_json(record)
    record.unlink(missing_ok=True)
    job = RowJob(
        name=row.name,
        folder=str(row.folder),
        runtime=row.runtime,
        threads=num_threads(config),
        language=config.language,
        max_new_tokens=config.max_new_tokens,
        corpora=jobs,
        fallback=Fallback() if config.fallback else None,
    )
    found = asdict(_measure_in_child(job, folder))
    write_json(record, found)
    return found


def _measure_in_child(job: RowJob, folder: Path) -> RowMeasure:
    try:
        return in_child(MEASURES[job.runtime], job)
    except ChildDied as error:
        raise GateError(
            f"row {job.name}: {error}; the clips measured so far are kept in {folder}"
        ) from None
    except InputError as error:
        raise InputError(f"row {job.name}: {error}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; the clips measured so far are kept in {folder}, and the same command "
            "goes on from there"
        ) from None


def measurements(
    config: EvaluateConfig,
    rows: list[RowFolder],
    baseline: str | None,
    corpora: list[Corpus],
    measures: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """The content of measurements.json: all that the report needs besides the clips' results."""
    rules = read_rules(
        rows[0].folder, language=config.language, max_new_tokens=config.max_new_tokens
    )
    return {
        "rows": [describe(row) | measures[row.name] for row in rows],
        "corpora": [corpus.describe() for corpus in corpora],
        "codes_changed": count_changed_codes(rows),
        "decoding": {
            "language": rules.language,
            "task": TASK,
            "strategy": f"greedy; {Fallback()}" if config.fallback else "greedy",
            "max_new_tokens": rules.max_new_tokens,
            "padding": PADDING_POLICY,
            "long_form": chunks.METHOD,
        },
        "normalizers": config.normalizers,
        "config": asdict(config) | {"threads": num_threads(config)},
        "environment": environment(num_threads(config)),
        "baseline": baseline,
    }


def environment(threads: int) -> dict[str, Any]:
    """Machine and software of this run."""
    return {
        "cpu": cpu(),
        "gpu": gpu(),
        "threads": threads,
        "versions": package_versions(),
        "git_revision": git_revision(),
        "command": sys.argv,
    }
