"""results.json, computed from an evaluation folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import (
    FULL,
    all_rows,
    clip,
    clips_of_poems,
    corpus,
    looping,
    row,
    write_evaluation,
    write_rows,
)
from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.summary import summarize


def score_of(results: dict[str, Any], row: str, corpus: str = "all") -> dict[str, Any]:
    return next(
        s
        for s in results["scores"]
        if (s["row"], s["corpus"], s["normalizer"]) == (row, corpus, "card")
    )


def test_results_are_written_as_returned(results: dict[str, Any], report_folder: Path):
    assert json.loads((report_folder / "results.json").read_text()) == json.loads(
        json.dumps(results)
    )


def test_known_rate(tmp_path: Path):
    write_evaluation(tmp_path, [row("base-float", "float")], [corpus("p", 0)])
    lines = [clip(0, "veuillez entrer le mot"), clip(9, "merci de votre appel, au revoir")]
    write_rows(tmp_path, "base-float", "p", lines)
    found = score_of(summarize(tmp_path), "base-float")
    # 'votre' -> 'le' and 'de passe suivi du carré' lost: 1 + 5 errors in 9 + 6 words
    assert found["words"] == {"substitutions": 1, "deletions": 5, "insertions": 0, "words": 15}
    assert found["wer"]["rate"] == pytest.approx(6 / 15)


def test_both_normalisers_are_named_with_their_fingerprints(results: dict[str, Any]):
    assert [n["name"] for n in results["normalizers"]] == ["card", "fr"]
    assert all(n["version"] and n["fingerprint"] for n in results["normalizers"])
    assert {s["normalizer"] for s in results["scores"]} == {"card", "fr"}
    assert {c["normalizer"] for c in results["comparisons"]} == {"card", "fr"}


def test_sizes_are_fractions_of_both_float_sizes(results: dict[str, Any]):
    qat = next(r for r in results["rows"] if r["name"] == "qat-int8")
    assert qat["size_of_fp32"] == qat["model_bytes"] / qat["fp32_bytes"]
    assert qat["size_of_fp16"] == qat["model_bytes"] / qat["fp16_bytes"]
    assert (qat["role"], qat["context"]) == ("qat", "dynamic (+1 s)")


def test_empty_references_are_counted_and_left_out(tmp_path: Path):
    write_evaluation(tmp_path, [row("base-float", "float")], [corpus("p", 0)])
    lines = [clip(0, "oui"), clip(1, "oui", reference="...")]
    write_rows(tmp_path, "base-float", "p", lines)
    found = score_of(summarize(tmp_path), "base-float")
    assert (found["clips"], found["empty_references"]) == (1, ["clip_001"])


def test_changed_transcripts_are_those_of_control_and_qat(results: dict[str, Any]):
    (pair,) = results["changed"]
    assert (pair["before"], pair["after"], pair["clips"]) == ("control", "qat-int8", 30)
    assert 0 < len(pair["items"]) < 30
    moves = [abs(i["errors_after"] - i["errors_before"]) for i in pair["items"]]
    assert moves == sorted(moves, reverse=True)


def test_without_control_changes_are_against_the_baseline(tmp_path: Path):
    rows = [row("base-float", "float"), row("qat-int8", "qat")]
    results = summarize(write_evaluation(tmp_path, rows, [corpus("p", 5)]))
    assert [(c["before"], c["after"]) for c in results["changed"]] == [("base-float", "qat-int8")]


def test_a_single_row(tmp_path: Path):
    folder = write_evaluation(tmp_path, [row("qat-int8", "qat")], [corpus("p", 5)], baseline=None)
    results = summarize(folder)
    assert (results["comparisons"], results["changed"]) == ([], [])


def test_three_seeds_are_pooled(seeded_results: dict[str, Any]):
    pooled = [c for c in seeded_results["comparisons"] if c["b"] == "qat-int8 (3 seeds)"]
    assert {c["kind"] for c in pooled} == {"quantization", "QAT effect", "adaptation", "total"}
    assert all(len(c["members"]) == 3 and c["seeds"] == [0, 1, 2] for c in pooled)
    assert all(c["clips"] == 20 and c["transcripts"] == 60 for c in pooled)


def test_blocks_of_the_rows_are_used_and_named(tmp_path: Path):
    write_evaluation(tmp_path, all_rows()[:1], [corpus("verse", 0)])
    write_rows(tmp_path, "base-float", "verse", clips_of_poems())
    results = summarize(tmp_path)
    assert results["blocks"] == [{"corpus": "verse", "unit": "recording", "number": 3}]


def test_nothing_evaluated(tmp_path: Path):
    with pytest.raises(InputError, match=r"measurements\.json: no such file"):
        summarize(tmp_path)


def test_untimed_rows_have_no_speed(tmp_path: Path):
    write_evaluation(tmp_path, [row("base-float", "float")], [corpus("p", 0)])
    write_rows(tmp_path, "base-float", "p", [clip(0, "oui", wall_s=None)])
    assert summarize(tmp_path)["speed"] == []


def test_no_claim_about_a_base_with_more_errors_than_words(tmp_path: Path):
    rows = [*all_rows(), row("base-ptq-full", "ptq", audio_context=FULL)]
    write_evaluation(tmp_path, rows, [corpus("p", 20)])
    sane = summarize(tmp_path)
    assert sane["outside"] == ["base-float", "base-ptq-int8"]
    assert "adaptation" in {claim["kind"] for claim in sane["claims"]}
    for name in sane["outside"]:
        write_rows(tmp_path, name, "p", looping(20))
    broken = summarize(tmp_path)
    assert broken["outside"] == ["base-float", "base-ptq-int8"]
    assert {claim["kind"] for claim in broken["claims"]} == {"non-inferiority", "QAT effect"}
    assert broken["story"][0].startswith("The published model (base-float-full, 30\u00a0s)")
    assert "adaptation" in {c["kind"] for c in broken["comparisons"]}
