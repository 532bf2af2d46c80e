"""Values of a published file: rounded, in the unit of their column, null where unknown."""

from whisper_qat.report.published.columns import machine, megabytes, round_number, value


def test_value_has_its_interval_or_none():
    found = {"rate": 0.27834999, "low": 0.2, "high": None}
    assert value("wer", {"rate": 0.1}) == {"wer": 0.1}
    assert value("wer", None) == {"wer": None}
    assert value("wer", found | {"high": 0.3}) == {"wer": 0.27835, "wer_low": 0.2, "wer_high": 0.3}


def test_units():
    assert megabytes(79_300_000) == 79.3 and megabytes(None) is None
    assert round_number(1.23456789) == 1.234568


def test_an_unknown_machine_is_empty():
    assert machine({}, 2) == {"cpu": None, "isa": [], "cores": None, "threads": 2, "load": None}
