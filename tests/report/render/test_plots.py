"""Plots as inline SVG without outside resources."""

import re
from typing import Any

import pytest

from tests.report.known_results import known_results
from tests.report.known_results import rate as known_rate
from tests.report.synthetic import row
from whisper_qat.report.evaluation.rows import ROLE_WORDS
from whisper_qat.report.evaluation.shown_rows import shown_rows
from whisper_qat.report.render.plots import (
    COLORS,
    axis_end,
    left_out_note,
    size_plot,
    spread,
    wer_note,
    wer_plot,
)


def test_every_role_has_its_own_colour():
    assert set(COLORS) == set(ROLE_WORDS)
    assert len(set(COLORS.values())) == len(COLORS)


def test_plots_name_every_row(results: dict[str, Any]):
    for svg in (wer_plot(results), size_plot(results)):
        assert svg is not None and svg.startswith("<svg")
        for shown in shown_rows(results):
            assert f">{shown['name']}<" in svg
        assert ">base-float<" not in svg  # outside the comparison
        assert "<metadata" not in svg
        assert not re.search(r"""(?:href|src)=["'](?!#)""", svg)


def test_plots_are_deterministic(results: dict[str, Any]):
    assert wer_plot(results) == wer_plot(results)


def test_nothing_to_plot(results: dict[str, Any]):
    assert wer_plot(results | {"scores": []}) is None
    rows = [row | {"model_bytes": None} for row in results["rows"]]
    assert size_plot(results | {"rows": rows}) is None


def test_the_axis_ends_where_the_rows_end():
    usual = [known_rate(0.10), known_rate(0.20)]
    assert axis_end(usual) is None
    assert axis_end([*usual, known_rate(0.20, 0.05, 4.4)]) == pytest.approx(1.5 * 0.25)
    assert axis_end([*usual, known_rate(0.80, 0.10, 2.2)]) == pytest.approx(1.5 * 0.80)
    assert axis_end([known_rate(0.02, 0.0, 0.2)]) is None, "equally long"
    assert axis_end([known_rate(0.0, 0.0, 0.0)]) is None


def test_a_long_interval_is_cut_and_said_so():
    rows = [(row("base", "float"), 0.10), (row("ptq", "ptq"), 0.20)]
    rows.append((row("qat", "qat"), known_rate(0.20, 0.05, 4.4228)))
    results = known_results(rows)
    svg = wer_plot(results)
    assert svg is not None and ">100<" not in svg and ">30<" in svg
    assert wer_note(results) == (
        "An arrow marks an interval that goes on beyond the axis: qat (to 442.28\u00a0%)."
    )


def test_notes_below_the_plots():
    rows = [(row("base", "float"), 0.10), (row("short", "float"), 2.0)]
    results = known_results(rows, outside=["short"], baseline="base")
    left_out = "Not drawn, because outside the comparison: short."
    assert wer_note(results) == f"The dashed line marks the baseline. {left_out}"
    assert left_out_note(results) == left_out
    plain = known_results(rows[:1])
    assert wer_note(plain) == left_out_note(plain) == ""
    assert wer_note(plain | {"scores": []}) == ""


def test_labels_keep_their_distance():
    assert spread(1.0, [], 0.5) == 1.0
    assert spread(1.0, [0.9], 0.5) == 1.4
    assert spread(3.0, [0.9, 1.4], 0.5) == 3.0


def test_forty_rows_fit(results: dict[str, Any]):
    """Labels of one fixed height collapsed the axes, which matplotlib warns about."""
    rows, scores = [], []
    for i in range(8):
        rows += [row | {"name": f"{row['name']}-{i}"} for row in results["rows"]]
        scores += [score | {"row": f"{score['row']}-{i}"} for score in results["scores"]]
    svg = size_plot(results | {"rows": rows, "scores": scores})
    assert svg is not None and all(f">{row['name']}<" in svg for row in rows)
