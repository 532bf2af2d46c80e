"""Tables of an inspection: measured numbers and shortened lists."""

import pytest

from whisper_qat.report.inspection import layers, part_cell, shorten, show, stored_bits, summary

INT4 = {
    "name": "fc1", "scheme": "block-int4-32-f16", "bits": 4, "block_size": 32,
    "parts": {
        "codes": {"bytes": 1600, "dtype": "uint8"},
        "scales": {"bytes": 200, "dtype": "float16"},
        "bias": {"bytes": 40, "dtype": "float32"},
    },
    "kernels": ["MatMulNBits bits=4"],
}  # fmt: skip


def report(**changes):
    values = {
        "folder": "model", "total_bytes": 2000, "fp32_bytes": 8000, "share_of_fp32": 0.25,
        "kinds": {"codes": 1600, "scales, float16": 200}, "layers": [INT4], "duplicates": [],
        "graphs": {"e.onnx": {"ops": {"MatMulNBits": 1}, "moves": {"Cast": [], "Reshape": ["r"]}}},
        "faults": [], "check": "1 planned layers",
    }  # fmt: skip
    values["machine"] = {"name": "A CPU", "kind": "x64 with AVX512-VNNI", "isa": ["avx512_vnni"],
                         "cores": 2, "saturates": False}  # fmt: skip
    return values | changes


def test_bits_with_and_without_scales():
    assert stored_bits(INT4) == "4 (4.50)"
    two_level = INT4 | {"parts": INT4["parts"] | {"factors": {"bytes": 100, "dtype": "uint8"}}}
    assert stored_bits(two_level) == "4 (4.75)"


@pytest.mark.parametrize(
    ("dtype", "bits"), [("float16", "16"), ("float32", "32"), ("int8", "8"), ("bool", "")]
)
def test_bits_of_what_has_no_codes(dtype, bits):
    layer = INT4 | {"bits": None, "parts": {"weight": {"bytes": 8, "dtype": dtype}}}
    assert stored_bits(layer) == bits


def test_a_planned_layer_without_codes_shows_what_is_there():
    layer = INT4 | {"parts": {"weight": {"bytes": 8, "dtype": "float32"}}}
    assert stored_bits(layer) == "32"


def test_cells():
    assert part_cell(None, "codes") == ""
    assert part_cell({"bytes": 1600, "dtype": "uint8"}, "codes") == "1,600"
    assert part_cell({"bytes": 1600, "dtype": "float16"}, "scales") == "1,600 f16"
    assert part_cell({"bytes": 1600, "dtype": "int8"}, "weight") == "1,600 int8"


def test_a_row_per_layer():
    table = layers(report())
    assert table.row_count == 1
    assert [next(iter(column.cells)) for column in table.columns] == [
        "fc1", "block-int4-32-f16", "4 (4.50)", "1,600", "", "200 f16", "40", "",
        "MatMulNBits bits=4",
    ]  # fmt: skip


def test_the_lines_below():
    assert summary(report()) == [
        "model: 2,000 bytes, 25.00 % of float32 (8,000 bytes)",
        "stored more than once: 0 bytes",
        "e.onnx after optimization still has 1 Reshape (r)",
        "1 planned layers: all kernels as planned",
    ]


def test_faults_and_duplicates_are_counted():
    group = {"names": ["a: x", "a: y"], "wasted_bytes": 1234}
    lines = summary(report(faults=["x", "y"], duplicates=[group]))
    assert "stored more than once: 1,234 bytes" in lines
    assert "  1,234 bytes: a: x, a: y" in lines
    assert lines[-3:] == ["1 planned layers: 2 faults", "  x", "  y"]


def test_long_lists_are_cut():
    assert shorten(list("abcdefghijkl")) == "a, b, c, d, e, f, g, h, i, j and 2 more"


def test_everything_is_printed(capsys):
    show(report(folder="[bold]model"))
    printed = capsys.readouterr().out
    for word in ("block-int4-32-f16", "MatMulNBits", "80.00", "[bold]model: 2,000 bytes"):
        assert word in printed
