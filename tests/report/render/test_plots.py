"""Plots as inline SVG without outside resources."""

import re
from typing import Any

from whisper_qat.report.evaluation.rows import ROLE_WORDS
from whisper_qat.report.render.plots import COLORS, size_plot, spread, wer_plot


def test_every_role_has_its_own_colour():
    assert set(COLORS) == set(ROLE_WORDS)
    assert len(set(COLORS.values())) == len(COLORS)


def test_plots_name_every_row(results: dict[str, Any]):
    for svg in (wer_plot(results), size_plot(results)):
        assert svg is not None and svg.startswith("<svg")
        for row in results["rows"]:
            assert f">{row['name']}<" in svg
        assert "<metadata" not in svg
        assert not re.search(r"""(?:href|src)=["'](?!#)""", svg)


def test_plots_are_deterministic(results: dict[str, Any]):
    assert wer_plot(results) == wer_plot(results)


def test_nothing_to_plot(results: dict[str, Any]):
    assert wer_plot(results | {"scores": []}) is None
    rows = [row | {"model_bytes": None} for row in results["rows"]]
    assert size_plot(results | {"rows": rows}) is None


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
