"""Columns and values in the units of a published result file."""

from whisper_qat.report.published.columns import column, machine, megabytes, round_number, value


def test_a_value_has_both_ends_of_its_interval_or_none():
    found = {"rate": 0.12345678, "low": 0.1, "high": 0.2}
    assert value("wer", found) == {"wer": 0.123457, "wer_low": 0.1, "wer_high": 0.2}
    assert value("wer", {"rate": 0.5}) == {"wer": 0.5}
    assert value("wer", None) == {"wer": None}


def test_units():
    assert megabytes(81_788_020) == 81.78802 and megabytes(None) is None
    assert round_number(1.23456789) == 1.234568


def test_optional_parts_are_null():
    assert column("row", "Row", "text")["decimals"] is None
    nothing = {"cpu": None, "isa": [], "cores": None, "threads": 2, "load": None}
    assert machine({}, 2) == nothing
