"""Teacher-forced files: paths, records and errors."""

from pathlib import Path

import pytest

from whisper_qat.errors import InputError
from whisper_qat.report.evaluation.forced_records import Forced, forced_path, read_forced


def test_each_reference_has_files_of_its_own():
    assert forced_path("e", "qat", "control", "org/set") == Path(
        "e/teacher_forced/qat/control/org--set.jsonl"
    )
    assert forced_path("e", "qat", None, "set") == Path("e/teacher_forced/qat/_alone/set.jsonl")


def test_records_without_the_skipped(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(
        '{"id": "a", "tokens": 3, "loss": 1.5, "kl": null, "agreeing": null}\n'
        '{"id": "b", "skipped": "31.0 s of audio"}\n'
    )
    assert read_forced(path) == {"a": Forced(tokens=3, loss=1.5, kl=None, agreeing=None)}
    assert read_forced(tmp_path / "absent.jsonl") == {}


@pytest.mark.parametrize("line", ["{", '{"id": "a", "tokens": 3}', "[]"])
def test_a_damaged_line(tmp_path, line):
    path = tmp_path / "set.jsonl"
    path.write_text(f'{{"id": "b", "skipped": "x"}}\n{line}\n')
    with pytest.raises(InputError, match=r"set.jsonl: line 2: not a valid record; delete the file"):
        read_forced(path)
