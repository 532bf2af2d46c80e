"""The plan file: rules as YAML, and each mistake by its place."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.export.cases import tiny_whisper
from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.prepare import plan
from whisper_qat.model.plan.plan import Rule
from whisper_qat.model.plan.rules_file import (
    check_type,
    decide_type,
    read_rules_file,
    write_rules_file,
)
from whisper_qat.shipped import PLANS

RULES = [
    Rule(pattern=r"model\.decoder\..*", scheme="block-int8-32-f16", why="fort sensible, ça coûte"),
    Rule(pattern=".*conv[12]", scheme="float16", why=""),
    Rule(pattern=".*", scheme="block-int4-64", why="the rest"),
]

TABLE_APART = """
- {pattern: model.decoder.embed_tokens, scheme: block-int8-32-f16}
- {pattern: .*, scheme: block-int4-32-f16}
"""


def test_rules_round_trip(tmp_path):
    write_rules_file(tmp_path / "plan.yaml", RULES)
    assert read_rules_file(tmp_path / "plan.yaml") == RULES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a list of rules"),
        ("a: 1", "expected a list of rules"),
        ("- [", "not YAML"),
        ("- just text", "rule 1: 'just text' is not pattern, scheme and why"),
        ("- {pattern: a, scheme: float, reason: b}", "is not pattern, scheme and why"),
        ("- {pattern: a, scheme: float}\n- {pattern: b}", "rule 2: .* is not pattern, scheme"),
        ("- {pattern: a, scheme: int5}", "rule 1: unknown scheme 'int5'"),
        ("- {pattern: '(', scheme: float}", r"rule 1: pattern '\(' is malformed"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_rules_file(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"plan.yaml: No such file"):
        read_rules_file(tmp_path / "plan.yaml")


def test_the_plan_must_be_what_its_type_says():
    model = tiny_whisper()
    made = plan(model, [Rule(pattern=".*", scheme="block-int4-32", why="")])
    check_type(made, model, "int4")
    with pytest.raises(InputError, match="the plan puts 100% of the layers' weights in int4; pass"):
        check_type(made, model, "int8")
    floats = plan(model, [Rule(pattern=".*", scheme="float", why="")])
    with pytest.raises(InputError, match="weights in none; pass --quantization_type none"):
        check_type(floats, model, "int4")


def test_as_many_weights_of_two_kinds_are_either():
    model = tiny_whisper()
    halves = [
        Rule(pattern=".*fc1", scheme="block-int4-32", why=""),
        Rule(pattern=".*fc2", scheme="block-int8-32", why=""),
        Rule(pattern=".*", scheme="float", why=""),
    ]
    only = [entry for entry in plan(model, halves).layers if "fc" in entry.name]
    made = replace(plan(model, halves), layers=only)
    check_type(made, model, "int4")
    check_type(made, model, "int8")
    with pytest.raises(InputError, match="50% of the layers' weights in int"):
        check_type(made, model, "int2")


@pytest.mark.parametrize(
    ("rules", "given", "decided"),
    [
        (None, "", "int8"),
        (None, "none", "none"),
        ("- {pattern: .*, scheme: block-int4-32}", "", "int4"),
        ("- {pattern: .*, scheme: block-int4-32}", "int4", "int4"),
        ("- {pattern: .*fc1, scheme: int8-row}", "", "int8"),
        ("- {pattern: .*, scheme: float}", "", "none"),
        (TABLE_APART, "", "int4"),
    ],
)
def test_a_plan_of_one_width_decides_the_type(tmp_path, rules, given, decided):
    path = None if rules is None else tmp_path / "plan.yaml"
    if path is not None:
        path.write_text(rules)
    assert decide_type(path, given) == decided


def test_a_plan_that_cannot_decide_or_contradicts_is_one_line():
    with pytest.raises(InputError, match="^--plan int4_row: has layers of int8 and int4; pass --q"):
        decide_type(Path("int4_row"), "")
    assert decide_type(Path("int4_row"), "int4") == "int4"
    match = "^--plan int8_row: has no layer of quantization_type=int2, only of int8; leave one of"
    with pytest.raises(InputError, match=match):
        decide_type(Path("int8_row"), "int2")
    with pytest.raises(InputError, match="^--plan int8_row: quantization_type=none, the float con"):
        decide_type(Path("int8_row"), "none")


def test_shipped_plans_are_read_by_name():
    assert read_rules_file(Path("int8_row")) == read_rules_file(PLANS / "int8_row.yaml")
