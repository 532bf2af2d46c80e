"""The journal: what is whole stays, what a kill cut short goes, damage is named."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.runs.journal import Journal, repair


def write(path, *ids):
    with Journal(path) as journal:
        for name in ids:
            journal.append({"id": name, "hypothesis": "dès l'été"})


def test_records_are_there_after_closing_and_known_after_reopening(tmp_path):
    path = tmp_path / "rows" / "a.jsonl"
    write(path, "a", "b")
    write(path, "c")
    assert [record["id"] for record in repair(path)] == ["a", "b", "c"]
    with Journal(path) as journal:
        assert journal.done == {"a", "b", "c"}
    assert "dès l'été" in path.read_text(encoding="utf-8")


def test_each_record_can_be_read_before_closing(tmp_path):
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.append({"id": "a"})
        assert len(repair(tmp_path / "a.jsonl")) == 1


@pytest.mark.parametrize("lost", range(1, 30, 4))
def test_a_line_cut_short_is_removed(tmp_path, lost):
    path = tmp_path / "a.jsonl"
    write(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-lost])
    write(path, "c")
    assert [record["id"] for record in repair(path)] == ["a", "c"]


def test_a_damaged_line_inside_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a"}\n{"id": \n{"id": "c"}\n')
    with pytest.raises(InputError, match="a.jsonl:2: damaged"):
        Journal(path)


def test_no_id_twice(tmp_path):
    with pytest.raises(AssertionError), Journal(tmp_path / "a.jsonl") as journal:
        journal.append({"id": "a"})
        journal.append({"id": "a"})
