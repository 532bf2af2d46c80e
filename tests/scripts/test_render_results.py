"""The committed page and README are what the committed result files give."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whisper_qat.report.published.reading import json_text, read_all
from whisper_qat.runs.folders import read_json
from whisper_qat.tasks.render_results import RenderResultsConfig, render_files

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "results"
FILES = sorted(FOLDER.glob("*.json"))


def check(root: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "scripts" / "render_results.py"), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def test_committed_files_are_up_to_date():
    config = RenderResultsConfig(
        folder=FOLDER, page=ROOT / "docs" / "results.md", readme=ROOT / "README.md"
    )
    stale = [path.name for path, text in render_files(config).items() if path.read_text() != text]
    assert stale == [], "run 'make results' and commit what it wrote"


def test_check_fails_on_stale_documents(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "results").symlink_to(FOLDER)
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    done = check(tmp_path, "--check")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("docs/")]
    assert lines == [
        "docs/results.md: not what docs/results gives; run 'make results' and commit it"
    ]
    assert check(tmp_path).returncode == 0
    assert check(tmp_path, "--check").returncode == 0


def test_an_unreadable_file_is_one_line(tmp_path):
    done = check(tmp_path, "--folder", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: {tmp_path}: no result file (*.json) in this folder"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_has_the_form_that_publishing_writes(path):
    assert path.read_text() == json_text(read_json(path))


def printed(page: str, *cells: str) -> bool:
    return f"| {' | '.join(cells)} |" in page


def test_known_figures_are_on_the_page():
    page = (ROOT / "docs" / "results.md").read_text()
    study = ["QAT int4 (block 32)", "28.15", "+0.31 [−0.47, +1.04]", "28.51", "27.67", "28.25"]
    assert printed(page, *study, "57.3")
    assert printed(page, "v0.2's shape, int4 (block 32)", "472.1", "15.6")
    assert printed(page, "MatMulNBits 8 bits, block 32", "1.87", "0.65", "0.63")
    measured = ["15.12 [10.82, 20.96]", "+0.93 [−0.26, +2.51]", "78.5", "1"]
    assert printed(page, "qat-int8", "dynamic (+3 s)", *measured)


def test_every_speed_table_names_the_instruction_set_and_threads():
    speed = [one for one in read_all(FOLDER) if one.section == "speed"]
    assert len(speed) >= 5
    assert [one.id for one in speed if not one.machine["isa"] or not one.machine["threads"]] == []


def test_every_log_entry_that_was_transcribed_is_there():
    sources = [one.source for one in read_all(FOLDER)]
    entries = {one["entry"] for one in sources if one.get("document") == "log"}
    assert entries
    assert entries - {page.name for page in (ROOT / "docs" / "log").glob("*.md")} == set()
