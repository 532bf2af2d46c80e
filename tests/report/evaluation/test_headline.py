"""The summary for the terminal."""

from typing import Any

import pytest

from tests.report.synthetic import (
    corpus,
    looping,
    quickstart_rows,
    row,
    write_evaluation,
    write_rows,
)
from whisper_qat.report.evaluation.headline import WIDTH, text
from whisper_qat.report.evaluation.shown_rows import RULE
from whisper_qat.report.evaluation.summary import summarize


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The seven rows of the quickstart, and the base on a context where it repeats itself."""
    folder = tmp_path_factory.mktemp("quickstart")
    rows = [*quickstart_rows(), row("base-short", "float")]
    write_evaluation(folder, rows, [corpus("prompts", 20)])
    write_rows(folder, "base-short", "prompts", looping(20))
    return summarize(folder)


def joined(shown: str) -> str:
    return " ".join(shown.split())


def table_of(shown: str) -> list[str]:
    """The head of the table and its lines, up to the next empty line."""
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("System"))
    return lines[start : lines.index("", start)]


def test_seven_rows_fit_and_align(quickstart: dict[str, Any]):
    shown = text(quickstart)
    assert max(map(len, shown.splitlines())) <= WIDTH
    head, *body = table_of(shown)
    assert [line.split()[0] for line in body] == [
        "base-float", "base-ptq-int8", "control", "control-ptq-int8", "qat-int8",
        "control-ptq-int4", "qat-int4",
    ]  # fmt: skip
    assert {line.find("block-int") for line in body} - {-1} == {head.find("Weights")}
    assert {line.find("full (30 s)") for line in body} - {-1} == {head.find("Audio context")}


def test_the_story_comes_first(quickstart: dict[str, Any]):
    shown = text(quickstart)
    assert shown.startswith("The published model (base-float, 30\u00a0s): ")
    assert all(joined(sentence) in joined(shown) for sentence in quickstart["story"])
    assert text(quickstart | {"story": []}).startswith("System")


def test_rows_left_out_are_named_with_the_rule(quickstart: dict[str, Any]):
    assert f"Outside the comparison: base-short (300.00 % WER). {RULE}" in joined(text(quickstart))
    assert "Outside the comparison" not in text(quickstart | {"outside": []})


def test_one_audio_context_leaves_room_for_differences(quickstart: dict[str, Any]):
    rows = [r for r in quickstart["rows"] if r["name"] in ("base-float", "base-ptq-int8")]
    head, _, quantized = table_of(text(quickstart | {"rows": rows}))
    assert "Δ vs. baseline" in head and "Audio context" not in head
    assert quantized.count("[") == 2


def test_columns_give_way_to_long_names(quickstart: dict[str, Any]):
    name = "control-of-an-experiment-with-a-name-that-says-everything"
    rows = [r | {"name": name} if r["name"] == "control" else r for r in quickstart["rows"]]
    shown = text(quickstart | {"rows": rows})
    head, *body = table_of(shown)
    assert "RTFx: seconds" in shown
    assert head.split() == ["System", "WER,", "%", "Size,", "MB", "RTFx"]
    assert max(map(len, body)) <= WIDTH


def test_says_what_was_not_measured_and_what_failed(results: dict[str, Any]):
    failed = results | {"gates": [{"name": "g", "passed": False, "text": "0 codes differ"}]}
    shown = text(failed)
    assert "Corpus mtedx was not measured: not at data/mtedx; see configs/corpora.yaml" in shown
    assert "FAILED: 0 codes differ" in shown
    assert "one training seed" in joined(shown)


def test_one_seed_claims_no_margin(quickstart: dict[str, Any]):
    shown = joined(text(quickstart))
    assert "so no margin is claimed" in shown
    assert "smallest margin" not in shown and "any increase" not in shown
