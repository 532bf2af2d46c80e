"""Reading an evaluation folder: roles follow from the method, and errors name the fault."""

import json
from pathlib import Path

import pytest

from tests.report.synthetic import all_rows, clip, corpus, row, unreachable, write_evaluation
from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.rows import (
    ROLE_WORDS,
    clips_path,
    describe_context,
    read_clips,
    read_evaluation,
    read_row,
)

HERE = Path("measurements.json")


def test_roles_follow_from_method_and_training():
    roles = [read_row(record, HERE).role for record in all_rows()]
    assert roles == ["base-float", "base-float", "base-ptq", "control", "control-ptq", "qat"]
    assert set(roles) == set(ROLE_WORDS)


def test_a_misleading_name_does_not_change_the_role():
    assert read_row(row("qat-int8", "ptq"), HERE).role == "base-ptq"


def test_context_in_words():
    dynamic, full = (read_row(record, HERE) for record in all_rows()[:2])
    assert describe_context(dynamic) == "dynamic (+1 s)"
    assert describe_context(full) == "full (30 s)"


def test_margin_of_a_full_context_does_not_matter():
    contexts = [
        read_row(row("a", "float", audio_context={"mode": "full", "margin_s": m}), HERE).context
        for m in (0.0, 1.0, None)
    ]
    assert len(set(contexts)) == 1


def test_reads_measured_corpora_only(tmp_path: Path):
    corpora = [corpus("prompts", 3), unreachable("mtedx", "offline")]
    found = read_evaluation(write_evaluation(tmp_path, all_rows(), corpora))
    assert found.corpora == ["prompts"]
    assert [c.id for c in found.clips["control", "prompts"]] == ["clip_000", "clip_001", "clip_002"]


def test_a_row_without_clips_of_a_corpus_is_absent(tmp_path: Path):
    folder = write_evaluation(tmp_path, all_rows(), [corpus("prompts", 3)])
    clips_path(folder, "qat-int8", "prompts").unlink()
    assert ("qat-int8", "prompts") not in read_evaluation(folder).clips


def test_hub_ids_do_not_make_folders():
    assert clips_path("f", "row", "google/fleurs") == Path("f/rows/row/google--fleurs.jsonl")


def test_no_rows(tmp_path: Path):
    write_evaluation(tmp_path, [], [corpus("prompts", 1)])
    with pytest.raises(InputError, match=r"measurements\.json: nothing was measured"):
        read_evaluation(tmp_path)


def test_missing_field_of_a_row():
    record = row("a", "float")
    del record["runtime"]
    with pytest.raises(InputError, match="missing field 'runtime'; required are name, runtime"):
        read_row(record, HERE)


def test_unknown_method():
    with pytest.raises(InputError, match="row a: method 'magic': expected float, ptq or qat"):
        read_row(row("a", "magic"), HERE)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"id": "a", "refer'], "line 1: not valid JSON .* run the evaluation again"),
        (['{"id": "a"}'], "line 1: missing field 'reference'; required are id, reference"),
        (["[1]"], "line 1: expected an object with id"),
        ([json.dumps(clip(1, "x"))] * 2, "line 2: clip clip_001 occurs twice"),
    ],
    ids=["broken", "missing", "list", "twice"],
)
def test_bad_lines_are_named(tmp_path: Path, lines: list[str], message: str):
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        read_clips(path)


def test_blank_lines_and_absent_options(tmp_path: Path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('\n{"id":"a","reference":"x","hypothesis":"","duration_s":1.5}\n\n')
    (only,) = read_clips(path)
    assert (only.wall_s, only.speaker, only.block, only.chunks) == (None, None, None, 1)


def test_only_trained_rows_have_a_training_seed():
    assert read_row(row("base-ptq-int8", "ptq", training_seed=0), HERE).training_seed is None
    assert (
        read_row(row("control", "float", fine_tuned=True, training_seed=0), HERE).training_seed == 0
    )
