"""Tables with one line for each row."""

from typing import Any

from tests.report.synthetic import row
from whisper_qat.report.evaluation.row_tables import (
    accuracy_table,
    baseline_delta,
    cost_table,
    errors_table,
    hallucination_table,
    headline_table,
    outside_table,
    size_and_speed_table,
    weights_words,
)
from whisper_qat.report.evaluation.shown_rows import RULE
from whisper_qat.report.render.tables import Table, find_score

INSIDE = ["base-float-full", "control", "control-ptq-int8", "qat-int8"]
OUTSIDE = ["base-float", "base-ptq-int8"]  # untrained, on the clip and 1 s; 30 s was measured too


def cells(table: Table, name: str) -> dict[str, str]:
    line = next(row for row in table.rows if row[0] == name)
    return {column.title: cell for column, cell in zip(table.columns, line, strict=True)}


def test_headline_states_method_and_runtime_of_each_row(results: dict[str, Any]):
    table = headline_table(results)
    assert [row[0] for row in table.rows] == INSIDE
    qat = cells(table, "qat-int8")
    assert qat["Method"] == "QAT, seed 0"
    assert qat["Weights"] == "block-int8-32"
    assert qat["Audio context"] == "dynamic (+1 s)"
    assert qat["Runtime"] == "ONNX Runtime"
    assert qat["Size, MB"] == "81.8"
    assert "[" in qat["WER, %"] and "[" in qat["Δ WER vs. baseline, points"]
    assert "normaliser card" in table.note and "base-float" in table.note


def test_rows_outside_the_comparison_have_a_table_of_their_own(results: dict[str, Any]):
    table = outside_table(results)
    assert [row[0] for row in table.rows] == OUTSIDE
    assert table.note == RULE
    assert "Baseline: base-float, outside the comparison." in headline_table(results).note
    assert outside_table(results | {"outside": []}).rows == []
    assert {row[0] for row in errors_table(results).rows} == {*INSIDE, *OUTSIDE}


def test_no_difference_to_a_baseline_with_more_errors_than_words(results: dict[str, Any]):
    assert baseline_delta(results, "qat-int8")
    broken = [s | {"wer": {"rate": 2.05, "low": 0.5, "high": 4.4}} for s in results["scores"]]
    assert baseline_delta(results | {"scores": broken}, "qat-int8") == ""


def test_headline_prints_what_the_scores_hold(results: dict[str, Any]):
    score = find_score(results, "control")
    assert score is not None
    printed = cells(headline_table(results), "control")["WER, %"]
    assert printed.startswith(f"{100 * score['wer']['rate']:.2f} [")


def test_delta_of_another_context_is_not_a_delta_to_the_baseline(results: dict[str, Any]):
    assert baseline_delta(results, "base-float-full") == ""
    assert baseline_delta(results, "base-float") == ""


def test_delta_of_one_pooled_seed_has_no_interval(seeded_results: dict[str, Any]):
    delta = baseline_delta(seeded_results, "qat-int8-s1")
    assert delta and "[" not in delta


def test_torch_rows_are_labelled(results: dict[str, Any]):
    rows = [r | {"runtime": "torch"} for r in results["rows"]]
    table = headline_table(results | {"rows": rows})
    assert cells(table, "control")["Runtime"] == "PyTorch (not ONNX)"
    assert cells(size_and_speed_table(results | {"rows": rows}), "control")["Format"].endswith(
        "(PyTorch)"
    )


def test_weights_in_words():
    assert weights_words(row("a", "float")) == "float32"
    assert weights_words(row("a", "ptq", scheme=None)) == "int8"


def test_accuracy_has_a_column_per_corpus_and_all(results: dict[str, Any]):
    titles = [column.title for column in accuracy_table(results, "fr").columns]
    assert titles == ["System", "WER prompts, %", "WER verse, %", "WER all, %", "CER, %"]


def test_one_corpus_is_not_printed_twice(seeded_results: dict[str, Any]):
    titles = [column.title for column in accuracy_table(seeded_results, "card").columns]
    assert titles == ["System", "WER prompts, %", "CER, %"]


def test_errors_add_up(results: dict[str, Any]):
    line = cells(errors_table(results), "qat-int8")
    score = find_score(results, "qat-int8")
    assert score is not None
    kinds = [int(line[k].split()[0]) for k in ("Substitutions", "Deletions", "Insertions")]
    assert sum(kinds) == round(score["wer"]["rate"] * score["words"]["words"])
    assert line["Empty references"] == "0"


def test_signs_of_hallucination(results: dict[str, Any]):
    line = cells(hallucination_table(results), "qat-int8")
    assert (line["Clips"], line["Looping"]) == ("30", "0")


def test_cost_with_units(results: dict[str, Any]):
    line = cells(cost_table(results), "qat-int8")
    assert line["Peak memory, MB"] == "611.0"
    assert line["p50, s"] == "0.40"


def test_size_and_speed_table(results: dict[str, Any]):
    line = cells(size_and_speed_table(results), "qat-int8")
    assert line["Format"] == "ONNX block-int8-32"
    assert line["mtedx, WER %"] == "–"
    assert line["Size, % of fp32"] == "28.2"
    assert line["Size, % of fp16"] == "56.3"
    assert line["Speed"] == "1.00×"
