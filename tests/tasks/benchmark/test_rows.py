"""Rows: names, what is left out, rows of given folders, which sets each hears."""

from dataclasses import replace

import pytest

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json
from whisper_qat.tasks.benchmark.clips import FULL, LONG, SHORT
from whisper_qat.tasks.benchmark.rows import ROWS, available, choose, fits, ready, rows_of_folders


def test_every_row_has_a_name_of_its_own_and_a_policy():
    assert all(row.policy for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_rows_by_name():
    assert choose([]) == ROWS
    assert [row.name for row in choose(["ours-int4", "ours-int8"])] == ["ours-int8", "ours-int4"]


def test_a_runtime_that_is_missing_leaves_its_rows_out():
    runtime = replace(ROWS[-1].runtime, modules=("no_such_runtime",))
    missing = replace(ROWS[-1], runtime=runtime)
    kept, notes = available([ROWS[0], missing])
    assert kept == [ROWS[0]]
    (note,) = notes
    assert note.startswith(f"{missing.name}: left out: no_such_runtime cannot be imported")


def test_short_rows_hear_short_clips_only():
    short = next(row for row in ROWS if row.variant.short)
    assert [fits(short, kind) for kind in (SHORT, FULL, LONG)] == [True, False, False]
    assert fits(ROWS[0], LONG)


def test_a_short_row_of_ours_is_the_same_files(tiny_whisper, tmp_path):
    rows = {row.name: row for row in ROWS}
    full = ready(rows["ours-int8"], tiny_whisper, tmp_path, 2.0)
    short = ready(rows["ours-int8-short"], tiny_whisper, tmp_path, 2.0)
    info = read_json(short.folder / "whisper_qat.json")
    assert info["audio_context"] == {"mode": "dynamic", "margin_s": 2.0}
    file = "encoder_model.onnx"
    assert (full.folder / file).samefile(short.folder / file)
    assert short.describe()["model_bytes"] == full.describe()["model_bytes"] > 1000
    assert short.options == {"margin_s": 2.0}


def test_given_folders(tiny_whisper, tmp_path):
    folder = onnx_folder(tiny_whisper, tmp_path / "onnx", "dynamic", 1.0)
    (row,) = rows_of_folders([f"trained={folder}"])
    assert (row.name, row.folder, row.row.variant.short) == ("trained", folder, False)
    assert "dynamic; weights of its own" in row.row.policy
    with pytest.raises(InputError, match="a row of that name is there already"):
        rows_of_folders([f"ours-int8={folder}"])
    with pytest.raises(InputError, match="a checkpoint; convert it first"):
        rows_of_folders([f"trained={tiny_whisper}"])
