"""Tables of groups and of the measures more sensitive than WER."""

from typing import Any

import pytest

from tests.report.evaluation.test_group_summary import forced_evaluation
from whisper_qat.report.evaluation.page import html_page
from whisper_qat.report.evaluation.summary import summarize
from whisper_qat.report.evaluation.token_measure_tables import (
    group_tables,
    token_measure_comparisons_table,
    token_measures_table,
)
from whisper_qat.report.render.tables import Table


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return summarize(forced_evaluation(tmp_path_factory.mktemp("tables")))


def cells(table: Table, name: str) -> dict[str, str]:
    (row,) = [row for row in table.rows if row[0] == name]
    return {c.title: cell for c, cell in zip(table.columns, row, strict=True)}


def test_one_table_for_all_and_each_corpus(forced):
    titles = [table.title for table in group_tables(forced)]
    assert titles == [
        f"Systems pooled over training seeds, {scope}"
        for scope in ("all corpora", "prompts", "verse")
    ]


def test_a_group_with_its_figures(forced):
    found = cells(group_tables(forced)[0], "qat-int8 (3 seeds)")
    assert found["Loss per token"] == "1.2110 [1.2110, 1.2110]"
    assert found["Δ loss vs. control"] == "+0.2010 [+0.2010, +0.2010]"
    assert found["KL per token"] == "0.0121 [0.0121, 0.0121]"
    assert found["Same top token, %"] == "90.00" and found["Seeds"] == "3"
    assert "[" in found["Δ WER vs. control, points"]
    assert found["Smallest provable margin, points"]
    note = group_tables(forced)[0].note
    assert "Float control: control (3 seeds)." in note
    assert note.endswith("are measured against control-s0, control-s1 and control-s2.")


def test_rows_with_their_reference(forced):
    found = token_measures_table(forced, "verse")
    assert cells(found, "qat-int8-s1")["Reference system"] == "control-s1"
    assert cells(found, "control-s1")["Reference system"] == "itself"
    assert cells(found, "control-s1")["KL per token"] == ""


def test_differences_of_loss_kl_and_changes(forced):
    rows = token_measure_comparisons_table(forced, "all").rows
    mine = [r for r in rows if r[0] == "qat-int8 (3 seeds) − control-ptq-int8 (3 seeds)"]
    assert [r[2] for r in mine] == [
        "loss per token, nats", "KL per token, nats", "changed transcripts, points",
    ]  # fmt: skip
    assert mine[0][3].startswith("+0.1") and mine[1][3].startswith("+0.00")


def test_without_the_pass_only_changes_and_wer_remain(results):
    (first, *_) = group_tables(results)
    titles = [column.title for column in first.columns]
    assert "WER, %" in titles and "Loss per token" not in titles
    assert token_measures_table(results, "all").rows == []
    assert token_measure_comparisons_table(results, "all").rows == []
    assert "These measures were not taken." in html_page(results)


def test_the_page_shows_them(forced):
    page = html_page(forced)
    assert "Systems pooled over training seeds, all corpora" in page and "KL per token" in page
