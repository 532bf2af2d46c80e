"""The skip policy: in CI a skip for an unlisted reason fails the session, elsewhere none does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = "import pytest\ndef test_a(): pytest.skip('no GPU')\ndef test_b(): pass\n"
UNLISTED = "import pytest\ndef test_a(): pytest.skip('too hard')\ndef test_b(): pass\n"
WHOLE_FILE = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert 0\n"


def run_tests(folder: Path, text: str, *, ci: str, workers: int = 0) -> subprocess.CompletedProcess:
    (folder / "test_one.py").write_text(text + "def test_ok(): pass\n")
    words = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull]
    words += ["-p", "no:cacheprovider", f"--rootdir={folder}", "-n", str(workers), str(folder)]
    environment = os.environ | {"CI": ci}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "ci", "status"),
    [
        (ALLOWED, "true", 0),
        (UNLISTED, "true", 1),
        (UNLISTED, "", 0),
        (EXPECTED_FAILURE, "true", 0),
    ],
    ids=["listed reason", "unlisted reason", "not in CI", "expected failure"],
)
def test_skips(tmp_path, text, ci, status):
    done = run_tests(tmp_path, text, ci=ci)
    assert done.returncode == status, done.stdout
    assert ("skips that CI does not allow" in done.stdout) == bool(status)


@pytest.mark.slow
def test_whole_file_that_skips(tmp_path):
    done = run_tests(tmp_path, WHOLE_FILE, ci="true")
    assert "test_one.py: not here" in done.stdout


@pytest.mark.slow
def test_workers_report_to_the_controller(tmp_path):
    done = run_tests(tmp_path, UNLISTED, ci="true", workers=1)
    assert done.returncode == 1
    assert "test_a: too hard" in done.stdout


def test_tiny_whisper_loads_as_any_other(tiny_whisper):
    from transformers import AutoTokenizer, WhisperForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(tiny_whisper)
    text = "Ça coûte « 3 € » ?"
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text
    model = WhisperForConditionalGeneration.from_pretrained(tiny_whisper)
    assert model.config.vocab_size == len(tokenizer)
