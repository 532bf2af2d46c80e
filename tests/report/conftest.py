"""Folders and results shared by several report tests, computed once and never changed."""

from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import all_rows, codes, corpus, unreachable, write_evaluation
from whisper_qat.report.evaluation.summary import summarize


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All int8 rows, one seed, on two small corpora and one that cannot be reached."""
    corpora = [
        corpus("prompts", 20, left_out=[{"id": "silence_1", "reason": "silent"}]),
        corpus("verse", 10, long_form_clips=1),
        unreachable("mtedx", "not at data/mtedx; see configs/corpora.yaml"),
    ]
    folder = tmp_path_factory.mktemp("report")
    write_evaluation(folder, all_rows(), corpora, codes_changed=codes(1_234_567))
    summarize(folder)
    return folder


@pytest.fixture(scope="session")
def results(report_folder: Path) -> dict[str, Any]:
    """What ``summarize`` wrote for ``report_folder``."""
    return summarize(report_folder)


@pytest.fixture(scope="session")
def seeded_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three training seeds on one corpus."""
    folder = tmp_path_factory.mktemp("seeds")
    write_evaluation(folder, all_rows(seeds=3), [corpus("prompts", 20)])
    return summarize(folder)
