"""Tables of paired differences."""

from typing import Any

from tests.report.synthetic import codes
from whisper_qat.report.evaluation.comparison_tables import (
    codes_table,
    comparisons_table,
    kinds_table,
    margin_cell,
    seeds_table,
)


def test_one_line_per_comparison(results: dict[str, Any]):
    table = comparisons_table(results, "all", "card")
    assert [row[0] for row in table.rows][:3] == [
        "base-ptq-int8 − base-float",
        "control-ptq-int8 − control",
        "qat-int8 − control",
    ]
    assert len(table.rows) == 9
    assert "Sample: 30 clips with 261 words, resampled as 30 clips." in table.note


def test_comparison_prints_the_numbers_it_has(results: dict[str, Any]):
    c = next(c for c in results["comparisons"] if c["kind"] == "QAT effect")
    line = next(r for r in comparisons_table(results, "all", "card").rows if r[1] == "QAT effect")
    assert line[2] == "seed 0"
    assert line[6] == "–"
    assert line[7:9] == [str(c["regressions"]), str(c["improvements"])]
    assert line[9] == f"{100 * (1 - c['regressions'] / 30):.1f}"


def margin(results: dict[str, Any], a: str, b: str, **changes: Any) -> str:
    c = next(
        c
        for c in results["comparisons"]
        if (c["a"], c["b"], c["corpus"], c["normalizer"]) == (a, b, "all", "card")
    )
    return margin_cell(results, c | {"low": -0.01, "high": 0.02, "smallest_margin": 0.02} | changes)


def test_fewer_than_three_training_runs_prove_no_margin(
    results: dict[str, Any], seeded_results: dict[str, Any]
):
    assert margin(results, "control", "qat-int8") == "–"
    assert margin(results, "base-float", "control") == "–"
    assert margin(results, "base-float", "base-ptq-int8") == "2.00"
    assert margin(seeded_results, "control (3 seeds)", "qat-int8 (3 seeds)") == "2.00"


def test_an_interval_without_width_proves_no_margin(seeded_results: dict[str, Any]):
    none = {"low": 0.0, "high": 0.0, "smallest_margin": 0.0}
    assert margin(seeded_results, "control (3 seeds)", "qat-int8 (3 seeds)", **none) == "–"


def test_kinds_that_occur_are_explained(results: dict[str, Any], seeded_results: dict[str, Any]):
    kinds = {row[0] for row in kinds_table(results).rows}
    assert kinds == {c["kind"] for c in results["comparisons"]}


def test_spread_over_seeds(results: dict[str, Any], seeded_results: dict[str, Any]):
    assert seeds_table(results).rows == []
    rows = seeds_table(seeded_results).rows
    mine = [row for row in rows if row[0] == "qat-int8 (3 seeds) − control (3 seeds)"]
    assert [row[1] for row in mine] == ["0", "1", "2"]
    pooled = comparisons_table(seeded_results, "all", "card").rows
    assert "3 seeds" in [row[2] for row in pooled]


def test_codes():
    table = codes_table({"codes_changed": codes(710_000)})
    assert table.rows[0] == ["qat-int8", "base-ptq-int8", "97", "71,000,000", "710,000", "1.00"]
