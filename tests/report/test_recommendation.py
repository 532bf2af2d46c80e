"""The printed recommendation: order, ratios, and the plans that no other beats."""

import pytest

from whisper_qat.report.recommendation import FLOAT_PLAN, advice, machine_lines, show

SCHEMES = {"encoder": "int8-row", "decoder": "block-int8-32-f16", "table and head": "float"}


def plan(name, megabytes, long, short):
    return {
        "name": name, "bytes": megabytes * 10**6, "schemes": SCHEMES,
        "milliseconds": {"30 s": long, "5 s": short},
    }  # fmt: skip


@pytest.fixture
def report():
    machine = {"name": "A CPU", "kind": "x64 without VNNI", "isa": ["avx2"], "cores": 4,
               "threads": 2, "saturates": True}  # fmt: skip
    return {
        "model": "whisper", "machine": machine, "clips": ["30 s", "5 s"],
        "fp32_bytes": 200 * 10**6,
        "plans": [
            plan(FLOAT_PLAN, 200, 100.0, 20.0), plan("quick", 60, 40.0, 12.0),
            plan("small", 30, 50.0, 10.0), plan("beaten", 60, 55.0, 15.0),
        ],
    }  # fmt: skip


def test_the_table_is_sorted_by_speed_and_has_ratios(report, capsys):
    show(report)
    shown = capsys.readouterr().out
    rows = [line.split()[1] for line in shown.splitlines() if line.startswith("│")]
    assert rows == ["quick", "small", "beaten", FLOAT_PLAN]
    assert "2.50" in shown and "30.0" in shown and "block-int8-32-f16" in shown


def test_what_follows_names_fastest_smallest_and_unbeaten(report):
    lines = advice(report)
    assert lines[:4] == [
        "Fastest on a clip of 30 s: quick.",
        "Fastest on a clip of 5 s: small.",
        "Smallest: small.",
        "No other plan is both smaller and faster (first clip) than: quick, small.",
    ]
    assert "not measured here" in lines[4]


@pytest.mark.parametrize(("saturates", "words"), [(True, "slower kernel"), (False, "none needs")])
def test_the_cpu_and_what_it_means_for_eight_bits(report, saturates, words):
    lines = machine_lines(report["machine"] | {"saturates": saturates})
    assert lines[0] == "CPU: A CPU, x64 without VNNI (avx2); 4 cores, 2 used"
    assert words in lines[1]
