"""The tables of the README: selected cells, filled markers and errors."""

import copy
import json

import pytest

from tests.report.published_sample import SELECTION, results_folder, set_value
from whisper_qat.errors import InputError
from whisper_qat.report.published.reading import read_all
from whisper_qat.report.published.selection import (
    fill_markers,
    read_selection,
    selection_text,
    table_text,
)


@pytest.fixture
def tables(tmp_path):
    return read_all(results_folder(tmp_path))


def test_chosen_cells_are_rendered(tmp_path, tables):
    text = selection_text(read_selection(tmp_path / "readme.json", tables), "docs/results.md")
    lines = text.splitlines()
    assert lines[0] == "| Model | WER, % | Other, MB |"
    assert lines[2:4] == [
        "| **QAT** | 28.01 | – |",
        "| float | 27.83 [23.68, 31.33] | 290.5 |",
    ]
    assert "Chosen rows." in lines
    joined = " ".join(line.strip() for line in lines)
    assert "- **WER, %**: [A sample](docs/results.md#sample). Data: Whisper base; prompts" in joined
    assert "Measured: 2026-11-21; **transcribed from the log**." in joined


def test_whole_table(tables):
    text = table_text(tables[0], "docs/results.md")
    assert text.startswith("| Row | WER, % |")
    assert "Nothing that can be measured." in text
    assert "[A sample](docs/results.md#sample)" in text


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("columns.0.table", "samples", "columns[0].table: no result file samples.json; did you "
         "mean 'sample'?"),
        ("columns.0.column", "wers", "columns[0].column: table sample has no column 'wers'; did "
         "you mean 'wer'?"),
        ("rows.0.rows", {"sample": "QAT int"}, "rows[0].rows.sample: that table has no row "
         "'QAT int'; did you mean 'QAT int8'?"),
        ("rows.0.rows", {"simple": "a"}, "rows[0].rows: no result file simple.json; did you mean "
         "'sample'?"),
        ("rows.0.label", None, "rows[0].label: expected text, got None"),
        ("columns.0.name", "a", "columns[0].name: unknown key"),
        ("header", "a", "header: unknown key"),
    ],
)  # fmt: skip
def test_wrong_selection(tmp_path, tables, key, value, message):
    changed = copy.deepcopy(SELECTION)
    set_value(changed, key, value)
    path = tmp_path / "readme.json"
    path.write_text(json.dumps(changed))
    with pytest.raises(InputError) as error:
        read_selection(path, tables)
    assert str(error.value) == f"{path}: {message}"


BEGIN, END = "<!-- results:{} begin -->", "<!-- results:{} end -->"


def test_markers_are_filled_and_the_rest_stays():
    text = f"a\n\n{BEGIN.format('x')}\nold\n{END.format('x')}\n\nb\n"
    once = fill_markers(text, {"x": "new\n"}, "README.md")
    assert once == f"a\n\n{BEGIN.format('x')}\nnew\n{END.format('x')}\n\nb\n"
    assert fill_markers(once, {"x": "new\n"}, "README.md") == once


def test_several_markers():
    text = "".join(f"{BEGIN.format(name)}{END.format(name)}\n" for name in "xyx")
    filled = fill_markers(text, {"x": "1", "y": "2"}, "README.md")
    assert filled.replace("\n", "").count("begin -->1<!--") == 2
    assert filled.replace("\n", "").count("begin -->2<!--") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none", "README.md: no marker found; expected '<!-- results:x begin -->'"),
        (
            f"\n{BEGIN.format('x')}",
            "README.md: line 2: expected '<!-- results:x begin -->' followed by "
            "'<!-- results:x end -->'",
        ),
        (
            f"{END.format('x')}{BEGIN.format('x')}",
            "README.md: line 1: expected '<!-- results:x begin -->' followed by "
            "'<!-- results:x end -->'",
        ),
        (
            f"{BEGIN.format('x')}{END.format('y')}",
            "README.md: line 1: expected '<!-- results:x begin -->' followed by "
            "'<!-- results:x end -->'",
        ),
        (
            f"{BEGIN.format('samples')}{END.format('samples')}",
            "README.md: marker results:samples: no such table; did you mean 'sample'?",
        ),
    ],
)
def test_wrong_markers(text, message):
    with pytest.raises(InputError) as error:
        fill_markers(text, {"x": "1", "sample": "2"}, "README.md")
    assert str(error.value) == message
