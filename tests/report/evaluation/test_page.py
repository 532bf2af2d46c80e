"""The page is self-contained and escaped, and has the figures of results.json."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import all_rows, codes, corpus, row, unreachable, write_evaluation
from whisper_qat.errors import GateError, InputError
from whisper_qat.report.evaluation.page import (
    SHOWN_CHANGES,
    html_page,
    markdown_page,
    render,
    sections,
)
from whisper_qat.report.evaluation.shown_rows import RULE
from whisper_qat.report.evaluation.summary import summarize

VOID = {"meta", "br", "path", "use", "line", "rect", "circle"}


class Balance(HTMLParser):
    """Collects what a browser would load and whether the tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        found = [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.loads += [value for value in found if not value.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_page_is_whole_in_itself(results: dict[str, Any]):
    page = html_page(results)
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert balance.loads == []
    assert "url(http" not in page and "@import" not in page
    assert "<script" not in page


def test_page_shows_what_it_must(results: dict[str, Any]):
    page = html_page(results)
    for claim in results["claims"]:
        assert claim["text"] in page.replace("&#39;", "'")
    for text in (
        "scripts/evaluate_qat.py --model_path",
        "0123456789abcdef0123456789abcdef01234567",
        "not at data/mtedx; see configs/corpora.yaml",
        "silence_1",
        "chunked 30 s",
        "silence to 30 s, then cut to the row",
        "1,234,567",
        "ONNX Runtime",
        *(n["fingerprint"] for n in results["normalizers"]),
    ):
        assert text in page, text
    assert page.count("<svg") == 2
    assert "<mark>" in page


def test_the_story_and_the_rows_outside_are_shown(results: dict[str, Any]):
    page, text = html_page(results), markdown_page(results)
    assert len(results["story"]) == 4
    for sentence in results["story"]:
        assert f"<li>{sentence}</li>" in page and f"- {sentence}" in text
    assert text.index(results["story"][0]) < text.index("## Conclusions")
    summary = "<summary>Systems outside the comparison: base-float, base-ptq-int8</summary>"
    assert summary in page and RULE in page
    assert "## Systems outside the comparison" in text and RULE in text
    everything = html_page(results | {"outside": []})
    assert "outside the comparison" not in everything


def test_results_without_a_story_still_render(results: dict[str, Any]):
    older = {key: value for key, value in results.items() if key not in ("story", "outside")}
    assert 'class="story"' not in html_page(older)
    assert markdown_page(older).startswith("# Evaluation report\n\nThis report compares")


def test_every_number_column_is_explained(results: dict[str, Any]):
    tables = [table for group in sections(results).values() for table in group]
    assert len(tables) > 10
    for table in tables:
        assert all(column.meaning for column in table.columns if column.numeric), table.title


def test_transcripts_cannot_inject_markup(results: dict[str, Any]):
    evil = json.loads(json.dumps(results).replace("veuillez", "<script>alert(1)</script>"))
    evil["rows"][0]["name"] = "<b>base</b>"
    page = html_page(evil)
    assert "<script" not in page and "<b>base</b>" not in page
    assert "&lt;script&gt;" in page


def test_long_lists_of_changes_are_cut_and_say_so(results: dict[str, Any]):
    pair = results["changed"][0]
    many = pair | {"items": (pair["items"] * 60)[: SHOWN_CHANGES + 5], "clips": 500}
    page = html_page(results | {"changed": [many]})
    assert page.count('class="change"') == SHOWN_CHANGES
    assert f"Only the {SHOWN_CHANGES} whose" in page


def test_render_writes_both_files(report_folder: Path):
    page = render(report_folder)
    assert page == report_folder / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    text = (report_folder / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Evaluation report")
    assert "| qat-int8 |" in text


def test_markdown_has_the_claims_and_the_command(results: dict[str, Any]):
    text = markdown_page(results)
    assert all(claim["text"] in text for claim in results["claims"])
    assert "    scripts/evaluate_qat.py" in text


@pytest.mark.parametrize(
    ("rows", "corpora"),
    [
        ([row("qat-int8", "qat")], [corpus("p", 4)]),
        ([row("base-float", "float"), row("qat-int8", "qat")], [corpus("p", 4)]),
        (all_rows(), [unreachable("mtedx", "offline")]),
        ([row("base-float", "float", model_bytes=None, fp16_bytes=None)], [corpus("p", 4)]),
    ],
    ids=["one row", "no control", "no corpus", "no sizes"],
)
def test_missing_rows_still_render(tmp_path: Path, rows: list[Any], corpora: list[Any]):
    write_evaluation(tmp_path, rows, corpora)
    summarize(tmp_path)
    page = render(tmp_path).read_text(encoding="utf-8")
    assert not re.search(r"\bNone\b|\bnan\b|Undefined", page)


def test_absent_optional_measurements_still_render(tmp_path: Path, report_folder: Path):
    shutil.copytree(report_folder, tmp_path / "copy")
    path = tmp_path / "copy" / "measurements.json"
    measurements = json.loads(path.read_text())
    for key in ("decoding", "environment", "config", "codes_changed", "baseline"):
        del measurements[key]
    path.write_text(json.dumps(measurements))
    summarize(tmp_path / "copy")
    assert "Conclusions" in render(tmp_path / "copy").read_text(encoding="utf-8")


def test_unchanged_codes_fail_and_keep_the_report(tmp_path: Path):
    write_evaluation(tmp_path, all_rows(), [corpus("p", 4)], codes_changed=codes(0))
    summarize(tmp_path)
    with pytest.raises(GateError, match=r"0 of 71,000,000 weight codes differ.*still written"):
        render(tmp_path)
    assert "Failed: qat-int8 compared with base-ptq-int8" in (tmp_path / "report.html").read_text()
    assert "**FAILED: qat-int8" in (tmp_path / "report.md").read_text()


def test_render_before_summarize(tmp_path: Path):
    with pytest.raises(InputError, match=r"results\.json: no such file"):
        render(tmp_path)
