"""A table as data and as Markdown."""

from typing import Any

from whisper_qat.report.render.tables import (
    Column,
    find_score,
    find_speed,
    markdown,
    rate_cell,
    table,
)

ROW = Column(title="Row", meaning="name", numeric=False)
WER = Column(title="WER, %", meaning="errors")
NONE = Column(title="Nothing", meaning="never")


def test_markdown_aligns_numbers_and_explains_columns():
    found = table("T", [ROW, WER], [["a|b", "1.0"]], "a note")
    assert markdown(found) == (
        "## T\n\n| Row | WER, % |\n| :--- | ---: |\n| a\\|b | 1.0 |\n\na note\n\n"
        "- **Row**: name\n- **WER, %**: errors\n"
    )


def test_columns_without_content_are_not_printed():
    found = table("T", [ROW, NONE, WER], [["a", "", "1"], ["b", "", ""]])
    assert [column.title for column in found.columns] == ["Row", "WER, %"]
    assert found.rows == [["a", "1"], ["b", ""]]


def test_finds(results: dict[str, Any]):
    score = find_score(results, "qat-int8", "prompts", "fr")
    assert score is not None and score["normalizer"] == "fr"
    assert find_score(results, "qat-int8", "mtedx") is None
    assert find_speed(results, "qat-int8") is not None
    assert find_speed(results, "nobody") is None


def test_rate_cell():
    score = {"wer": {"rate": 0.1, "low": 0.05, "high": 0.2}, "cer": None}
    assert rate_cell(score, "wer") == "10.00 [5.00, 20.00]"
    assert rate_cell(score, "cer") == rate_cell(None, "wer") == ""
