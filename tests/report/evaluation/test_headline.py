"""The summary for the terminal."""

from typing import Any

from whisper_qat.report.evaluation.headline import WIDTH, text


def test_lines_fit_and_columns_align(results: dict[str, Any]):
    lines = text(results).splitlines()
    assert max(map(len, lines)) <= WIDTH
    head = next(line for line in lines if line.startswith("System"))
    body = [line for line in lines if "block-int8-32" in line or "float32" in line]
    assert len(body) == 6
    assert {line.find("block-int8-32") for line in body} - {-1} == {head.find("Weights")}


def test_says_what_was_not_measured_and_what_failed(results: dict[str, Any]):
    failed = results | {"gates": [{"name": "g", "passed": False, "text": "0 codes differ"}]}
    shown = text(failed)
    assert "Corpus mtedx was not measured: not at data/mtedx; see configs/corpora.yaml" in shown
    assert "FAILED: 0 codes differ" in shown
    assert "one training seed" in " ".join(shown.split())
