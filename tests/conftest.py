"""Fixtures shared by all tests: real weights and speech where they are, a tiny Whisper anywhere.

What is missing skips with a reason. Under CI=true only the reasons in ALLOWED_SKIPS may skip; any
other fails the session, so that the tests on real parts cannot quietly stop running.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from whisper_qat.runs.messages import LEVEL, PACKAGE, AboveBars
from whisper_qat.runs.progress import DISABLE

ROOT = Path(__file__).parents[1]
ALLOWED_SKIPS = ("no GPU", "no shared data", "no optimum environment", "no transformers.js")

# Before any library reads it: tests are offline, whatever is installed or cached.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # as many workers as cores: more threads only get in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`caplog` sees what a command reports; how loud one test made the library ends with it."""
    monkeypatch.setenv(DISABLE, "")
    monkeypatch.setenv(LEVEL, "")
    logger = logging.getLogger(PACKAGE)
    logger.setLevel(logging.INFO)
    yield
    logger.handlers = [h for h in logger.handlers if not isinstance(h, AboveBars)]


@pytest.fixture(scope="session")
def whisper_base() -> Path:
    """The embedded Whisper base as an ordinary transformers folder."""
    return _made(ROOT / "data" / "whisper-base", "no embedded weights: run 'make base-model'")


@pytest.fixture(scope="session")
def whisper_tiny_en() -> Path:
    """The embedded Whisper tiny.en, whose vocabulary is English only, as a transformers folder."""
    return _made(ROOT / "data" / "whisper-tiny-en", "no tiny.en: run 'make english-model'")


@pytest.fixture(scope="session")
def telephone_fr() -> Path:
    """The prepared telephone prompts: train.jsonl, validation.jsonl, test.jsonl."""
    return _made(ROOT / "data" / "telephone-fr", "no prepared prompts: run 'make data'")


@pytest.fixture(scope="session")
def telephone_en() -> Path:
    """The same prompts in English, by another speaker."""
    return _made(
        ROOT / "data" / "telephone-en", "no English prompts: run 'make data SOURCE=telephone-en'"
    )


def _made(folder: Path, reason: str) -> Path:
    if not (folder / "manifest.json").is_file():
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data kept beside the checkout: poetry-fr with its manifests."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def tiny_whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``tiny_whisper_folder()`` saves a random Whisper in a new folder, see tiny_whisper."""

    from tests.tiny_whisper import save_tiny_whisper  # torch: only for tests that ask for it

    def save(folder: Path | None = None, **settings: object) -> Path:
        return save_tiny_whisper(folder or tmp_path_factory.mktemp("tiny"), **settings)

    return save


@pytest.fixture(scope="session")
def tiny_whisper(tiny_whisper_folder: Callable[..., Path]) -> Path:
    """One tiny Whisper folder for all tests that only read it."""
    return tiny_whisper_folder()


@pytest.fixture(scope="session")
def tiny_english_whisper(tiny_whisper_folder: Callable[..., Path]) -> Path:
    """One tiny Whisper that knows no other language than English, for tests that only read it."""
    from tests.tiny_whisper import make_english_only

    return make_english_only(tiny_whisper_folder())


@pytest.fixture(autouse=True)
def _own_precision() -> Iterator[None]:
    """A process keeps the precision of its first `Accelerator`; on a GPU those of tests differ."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by fixture, so that ``-m "not weights"`` works without a mark on every test."""
    embedded = ("whisper_base", "whisper_tiny_en", "telephone_fr", "telephone_en")
    marks = dict.fromkeys(embedded, "weights") | {"shared_data": "shared"}
    for item in items:
        for fixture, mark in marks.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skipif(not _has_gpu(), reason="no GPU"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


unexpected_skips: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report)


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    place = report.longrepr
    reason = str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")
    if not reason.startswith(ALLOWED_SKIPS):
        unexpected_skips.append(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    worker = hasattr(session.config, "workerinput")  # only the controller of xdist has all reports
    if unexpected_skips and os.environ.get("CI") == "true" and not worker:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if unexpected_skips and os.environ.get("CI") == "true":
        terminalreporter.section("skips that CI does not allow")
        for line in unexpected_skips:
            terminalreporter.line(line)
