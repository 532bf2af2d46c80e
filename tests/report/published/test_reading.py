"""Reading published result files: order, and errors with place and expected value."""

import json

import pytest

from tests.report.published_sample import RECORD, record, results_folder, write
from whisper_qat.errors import InputError
from whisper_qat.report.published.reading import json_text, read_all, read_table, table_of


def test_a_file_is_read_as_it_is(tmp_path):
    table = read_table(write(tmp_path))
    assert (table.id, table.section, table.date) == ("sample", "accuracy", "2026-11-21")
    assert [c.name for c in table.columns] == ["row", "wer", "delta", "size_mb", "words", "note"]
    assert table.rows == RECORD["rows"]
    assert table.machine["isa"] == ["avx2", "avx512_vnni"]


def test_measured_source(tmp_path):
    source = {"kind": "measured", "folder": "x", "results_sha256": "ab", "models": {"a": "f"}}
    assert read_table(write(tmp_path, source=source)).source == source


def test_tables_come_by_section_and_order(tmp_path):
    results_folder(tmp_path)
    write(tmp_path, id="first", order=0)
    write(tmp_path, id="size", section="size")
    assert [one.id for one in read_all(tmp_path)] == ["first", "sample", "size", "other"]


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no result file \(\*.json\) in this folder"):
        read_all(tmp_path)


COLUMN = RECORD["columns"][1]
WRONG = [
    ("id", "other", "id: expected 'sample', as the file, got 'other'"),
    ("id", None, "id: expected text, got None"),
    ("section", "sizes", "section: expected one of accuracy, size, speed, training, got 'sizes'"),
    ("date", "21 November", "date: expected a date like 2026-11-21, got '21 November'"),
    ("order", "1", "order: expected a whole number, got '1'"),
    ("notes", "one", "notes: expected a list of texts, got 'one'"),
    ("remark", "x", "remark: unknown key"),
    ("rows", [], "rows: expected at least one row"),
    ("columns", [], "columns[0]: expected name 'row' with unit 'text'"),
    ("source.kind", "guessed", "source.kind: expected measured or transcribed, got 'guessed'"),
    ("source.hash", "ab", "source.hash: unknown key"),
    (
        "source.document",
        "LOG",
        "source.document: expected one of log, README, issue, got 'LOG'",
    ),
    ("machine.thread", 2, "machine.thread: unknown key; did you mean 'threads'?"),
    ("machine.threads", "two", "machine.threads: expected a whole number or null, got 'two'"),
    (
        "settings.training_seeds",
        [0, "1"],
        "settings.training_seeds: expected a list of whole numbers, got [0, '1']",
    ),
    (
        "settings.test_sets.0.words",
        "many",
        "settings.test_sets[0].words: expected a whole number or null, got 'many'",
    ),
    ("columns.1.unit", "percent", "columns[1].unit: expected one of text, fraction, difference, "
     "number, count, got 'percent'"),
    ("columns.1.title", "WER", "columns[1].title: expected '%' in the title, because the unit "
     "is 'fraction', got 'WER'"),
    ("columns.2.title", "Minus", "columns[2].title: expected 'points' in the title, because the "
     "unit is 'difference', got 'Minus'"),
    ("columns.3.decimals", None, "columns[3].decimals: expected a whole number, because the unit "
     "is 'number', got None"),
    ("columns.2", COLUMN, "columns[2].name: 'wer' occurs twice"),
    (
        "columns.2",
        COLUMN | {"name": "wer_low"},
        "columns[2].name: 'wer_low' is reserved for the end of an interval; rows give NAME_low and "
        "NAME_high in addition to NAME",
    ),
    ("columns.0.name", "name", "columns[0]: expected name 'row' with unit 'text'"),
    ("rows.1.wer", "28.01", "rows[1].wer: expected a number or null, got '28.01'"),
    ("rows.1.words", 1.5, "rows[1].words: expected a whole number or null, got 1.5"),
    ("rows.1.cer", 0.1, "rows[1].cer: unknown key; did you mean 'wer'?"),
    ("rows.1.note_low", 0.1, "rows[1].note_low: unknown key"),
    (
        "rows.1.wer",
        28.01,
        "rows[1].wer: expected a fraction (0.2783 for 27.83 %), got 28.01",
    ),
    ("rows.1.wer_low", 0.2, "rows[1].wer: expected both wer_low and wer_high, or neither"),
    (
        "rows.0.wer_low",
        0.28,
        "rows[0].wer: expected low <= value <= high, got 0.28, 0.2783, 0.3133",
    ),
    ("rows.0.wer", None, "rows[0].wer: expected low <= value <= high, got 0.2368, None, 0.3133"),
    ("rows.1.row", "float control", "rows[1].row: expected a unique name, got 'float control'"),
    ("rows.1.row", None, "rows[1].row: expected a unique name, got None"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "message"), WRONG, ids=[w[2][:50] for w in WRONG])
def test_what_is_wrong_is_named(tmp_path, key, value, message):
    path = tmp_path / "sample.json"
    with pytest.raises(InputError) as error:
        table_of(record(**{key: value}), path)
    text = str(error.value)
    assert text.startswith(f"{path}: {message}")
    assert "\n" not in text


@pytest.mark.parametrize("key", RECORD)
def test_every_key_is_needed(tmp_path, key):
    found = record()
    del found[key]
    with pytest.raises(InputError, match=f"sample.json: {key}: missing; expected "):
        table_of(found, tmp_path / "sample.json")


def test_a_missing_value_must_be_null(tmp_path):
    found = record()
    del found["rows"][1]["size_mb"]
    with pytest.raises(InputError, match=r"rows\[1\].size_mb: missing; expected a number or null"):
        table_of(found, tmp_path / "sample.json")


def test_what_is_not_json_is_named(tmp_path):
    path = tmp_path / "sample.json"
    path.write_text("{")
    with pytest.raises(InputError, match="sample.json: line 1: not JSON"):
        read_table(path)


def test_a_list_is_not_a_result_file(tmp_path):
    with pytest.raises(InputError, match="sample.json: file: expected an object with id, section"):
        table_of([], tmp_path / "sample.json")


def test_text_of_a_file_has_a_row_a_line():
    text = json_text(RECORD | {"notes": []})
    assert json.loads(text) == RECORD | {"notes": []}
    assert sum('"row": "' in line for line in text.splitlines()) == len(RECORD["rows"])
    assert '  "notes": []' in text.splitlines()
