"""Growth laws of known curves, and their pages."""

import json

import pytest

from whisper_qat.report.benchmark.growth import curves, law, render, text
from whisper_qat.runs.folders import write_json

HERE = {"cpu": {"name": "CPU", "isa": []}, "cores": 2, "command": ["x"], "load_average": 0.1,
        "busy": False}  # fmt: skip


def point(axis, row, size, wall_s):
    return {"id": f"{axis}|{row}|{size}", "axis": axis, "row": row, "size": size, "unit": "s",
            "wall_s": wall_s, "cpu_s": 2 * wall_s, "peak_rss_bytes": 1e8}  # fmt: skip


def test_a_power_is_found():
    found = law([1, 10, 100], [3 * size**1.5 for size in (1, 10, 100)])
    assert found["power"] == pytest.approx(1.5)
    assert found["r2"] == pytest.approx(1)


def test_a_fixed_part_is_found():
    found = law([1, 10, 100, 1000], [5 + 0.5 * size for size in (1, 10, 100, 1000)])
    assert (found["fixed"], found["per_unit"]) == (pytest.approx(5), pytest.approx(0.5))
    assert found["power"] < 1


def test_a_constant_and_too_few_sizes():
    assert law([1, 10, 100], [2.0, 2.0, 2.0])["power"] == pytest.approx(0, abs=1e-12)
    assert law([1, 10], [1.0, 2.0]) is None


def test_curves_are_sorted_by_size():
    found = curves([point("length", "a", 10, 2.0), point("length", "a", 1, 1.0),
                    point("length", "b", 1, 1.0)])  # fmt: skip
    assert [[p["size"] for p in curve["points"]] for curve in found] == [[1, 10], [1]]


def test_pages(tmp_path):
    write_json(tmp_path / "measured.json", {"environment": HERE, "notes": ["int8"], "config": {}})
    lines = [point("length", "a", size, 0.1 * size) for size in (1, 10, 100)]
    lines.append(point("threads", "a", 2, 1.0))
    (tmp_path / "points.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    results = render(tmp_path)
    assert results["curves"][0]["laws"]["wall_s"]["power"] == pytest.approx(1)
    for name in ("growth.json", "growth.md", "growth.svg", "growth.html"):
        assert (tmp_path / name).stat().st_size > 300
    assert "1.00" in text(results)
