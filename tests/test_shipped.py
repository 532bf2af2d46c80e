"""Files of the package by name, and files of one's own by path."""

from pathlib import Path

import pytest

from tests.export.cases import tiny_whisper
from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.prepare import plan
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.shipped import CORPORA, FOLDER, PLANS, find_config, find_plan, shipped_names


def test_names():
    assert {"qat_int8", "qat_int4", "quickstart"} <= set(shipped_names(FOLDER))
    assert "corpora" not in shipped_names(FOLDER)
    assert {"int8_row", "int4_row"} <= set(shipped_names(PLANS))
    assert CORPORA.is_file()


def test_a_name_is_a_file_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("qat_int8") == FOLDER / "qat_int8.yaml"
    assert find_plan("int8_row") == PLANS / "int8_row.yaml"


def test_a_path_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_plan(Path("a/int8_row")) == Path("a/int8_row")
    assert find_plan("int8_row.yaml") == Path("int8_row.yaml")
    Path("int8_row").write_text("mine")
    assert find_plan("int8_row") == Path("int8_row")


def test_an_unknown_name_is_answered_with_the_known_ones():
    match = (
        r"^--plan int8_rwo: no such file, and no plan of that name \(there are .*int8_row.*\); did"
    )
    with pytest.raises(InputError, match=match):
        find_plan("int8_rwo")
    with pytest.raises(InputError, match=r"^--config q: no such file, and no configuration of"):
        find_config("q")


@pytest.mark.parametrize("kind", ["int8", "int4", "int3"])
def test_a_default_is_also_a_named_plan(kind):
    named = {"int8": "int8_row", "int4": "int4_block", "int3": "int3_two_level"}[kind]
    model = tiny_whisper()
    shipped, default = plan(model, read_rules_file(find_plan(named))), default_rules(kind, 32)
    schemes = [{e.name: e.scheme for e in p.layers} for p in (shipped, plan(model, default))]
    assert schemes[0] == schemes[1]
