"""The pages agree in all three forms, and text is escaped."""

from tests.report.benchmark_folder import write_benchmark
from whisper_qat.report.benchmark.page import INTRODUCTION, page, render, text


def test_pages(tmp_path):
    results = render(write_benchmark(tmp_path))
    for name in ("report.md", "report.html"):
        found = (tmp_path / name).read_text()
        assert "2.00" in found and "16.67 [" in found
        assert "gone: left out: not installed" in found
    shown = text(results)
    assert "set-short" in shown
    assert "Policy" not in shown and INTRODUCTION not in shown
    assert "<dt>× slow</dt>" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "plot.svg").read_text() in (tmp_path / "report.html").read_text()


def test_words_are_escaped():
    found = page("T", ["<b>"], [], [None])
    assert "&lt;b&gt;" in found
    assert "<b>" not in found
