"""The plan as data: its file, its rules, what is malformed, and that it is read without torch."""

import json
import subprocess
import sys

import pytest

from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import (
    Plan,
    PlanEntry,
    Rule,
    check_scheme,
    default_rules,
    read_plan,
)


def test_a_plan_round_trips_through_its_file(tmp_path):
    made = Plan(
        (
            PlanEntry(name="a", scheme="block-int4-128-f16", why="b"),
            PlanEntry(name="c", scheme="float16", why=""),
        )
    )
    assert made.half() == ["c"] and set(made.quantized()) == {"a"}
    made.write(tmp_path)
    assert read_plan(tmp_path) == made


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"version": 2, "layers": []}, "not a plan of version 1"),
        ([], "not a plan of version 1"),
        ({"version": 1}, "malformed plan"),
        ({"version": 1, "layers": [{"name": "a"}]}, "malformed plan"),
        ({"version": 1, "layers": [{"name": "a", "scheme": "int3", "why": ""}]}, "unknown scheme"),
    ],
)
def test_a_malformed_plan_is_refused(tmp_path, content, message):
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_plan(tmp_path)


def test_unknown_quantization_type():
    with pytest.raises(
        InputError, match="quantization_type='int88': expected one of int8, int4, int3, int2, n"
    ):
        default_rules("int88", 32)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(pattern="(", scheme="float", why=""), r"plan.yaml: pattern '\(' is malformed"),
        (Rule(pattern=".*", scheme="int5", why=""), "plan.yaml: unknown scheme 'int5'"),
    ],
)
def test_a_bad_rule_is_refused(rule, message):
    with pytest.raises(InputError, match=message):
        check_scheme(rule, "plan.yaml")


def test_a_plan_is_read_without_torch(tmp_path):
    Plan((PlanEntry(name="a", scheme="block-int4-128-f16", why="b"),)).write(tmp_path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom whisper_qat.model.plan.plan import read_plan\n"
        f"read_plan(Path({str(tmp_path)!r})).quantized()\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
