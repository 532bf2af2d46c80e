"""Changed weight codes: counted where both models have them, compared within one base only."""

import numpy as np
import pytest

from tests.tasks.evaluation_folders import all_roles
from whisper_qat.export.onnx.read import read_codes
from whisper_qat.tasks.evaluate.codes_changed import count_changed_codes
from whisper_qat.tasks.evaluate.rows import open_row


@pytest.fixture(scope="module")
def roles(tiny_whisper_folder, tmp_path_factory):
    return all_roles(tiny_whisper_folder(), tmp_path_factory.mktemp("roles"))


def test_codes_are_counted_against_base_and_control(roles):
    rows = [
        open_row(roles[name], name) for name in ("base-float", "qat", "base-ptq", "control-ptq")
    ]
    first, second = count_changed_codes(rows)
    assert (first["row"], first["against"], second["against"]) == ("qat", "base-ptq", "control-ptq")
    mine, theirs = read_codes(roles["qat"]), read_codes(roles["base-ptq"])
    assert first["layers"] == len(mine)
    assert first["codes"] == sum(codes.size for codes in mine.values())
    expected = sum(np.count_nonzero(mine[name] != theirs[name]) for name in mine)
    assert first["changed"] == expected > 0
    assert first["share"] == expected / first["codes"]


def test_untrained_codes_are_zero_changed(tiny_whisper_folder, tmp_path):
    still = all_roles(tiny_whisper_folder(), tmp_path, change=0.0)
    (entry,) = count_changed_codes([open_row(still["qat"]), open_row(still["base-ptq"])])
    assert entry["changed"] == 0 and entry["share"] == 0


def test_rows_of_another_base_are_not_compared(roles, tiny_whisper_folder, tmp_path):
    other = all_roles(tiny_whisper_folder(seed=5), tmp_path)["base-ptq"]
    assert count_changed_codes([open_row(roles["qat"]), open_row(other)]) == []


def test_torch_rows_have_no_written_codes(roles):
    assert count_changed_codes([open_row(roles["qat-final"]), open_row(roles["base-ptq"])]) == []
