"""Reading journals: truncated lines and runs of fixed lengths are left out."""

from tests.report.benchmark_folder import journal, line
from whisper_qat.report.benchmark.journal import read_lines, transcripts


def test_complete_lines_only(tmp_path):
    journal(tmp_path / "j.jsonl", [line("a", 0, "c", 1.0, "un")])
    assert [one["row"] for one in read_lines(tmp_path / "j.jsonl")] == ["a"]
    assert read_lines(tmp_path / "none.jsonl") == []


def test_transcripts_in_the_order_of_rounds():
    lines = [line("a", 1, "c", 1.0, "b"), line("a", 0, "c", 1.0, "a"),
             line("a", 0, "c", 1.0, None, tokens=4)]  # fmt: skip
    assert [one["text"] for one in transcripts(lines)["c"]] == ["a", "b"]
