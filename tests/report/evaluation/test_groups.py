"""Pooled and compared rows never differ in two respects at once."""

from pathlib import Path
from typing import Any

from tests.report.synthetic import CONTEXT, all_rows, row, trained
from whisper_qat.report.evaluation.groups import KIND_WORDS, Group, Pair, group_rows, members, pairs
from whisper_qat.report.evaluation.rows import EvaluatedSystem, read_row

FULL = {"mode": "full", "margin_s": 0.0}


def read(records: list[dict[str, Any]]) -> list[EvaluatedSystem]:
    return [read_row(record, Path("m.json")) for record in records]


def compared(
    records: list[dict[str, Any]], baseline: str | None = "base-float"
) -> list[tuple[str, str, str]]:
    found = pairs(group_rows(read(records)), baseline)
    return [(pair.kind, pair.b.name, pair.a.name) for pair in found]


def test_all_comparisons_of_one_seed_each_once():
    assert compared(all_rows()) == [
        ("quantization", "base-ptq-int8", "base-float"),
        ("quantization", "control-ptq-int8", "control"),
        ("quantization", "qat-int8", "control"),
        ("QAT effect", "qat-int8", "control-ptq-int8"),
        ("adaptation", "qat-int8", "base-ptq-int8"),
        ("training", "control", "base-float"),
        ("total", "control-ptq-int8", "base-float"),
        ("total", "qat-int8", "base-float"),
        ("audio context", "base-float-full", "base-float"),
    ]
    assert {kind for kind, _, _ in compared(all_rows())} < set(KIND_WORDS)


def test_only_rows_of_one_recipe_are_pooled_over_seeds():
    groups = group_rows(read(all_rows(seeds=3)))
    assert [(g.name, g.seeds) for g in groups[3:]] == [
        ("control (3 seeds)", [0, 1, 2]),
        ("control-ptq-int8 (3 seeds)", [0, 1, 2]),
        ("qat-int8 (3 seeds)", [0, 1, 2]),
    ]


def test_two_base_quantizations_stay_apart():
    rows = read([row("ort", "ptq"), row("calibrated", "ptq")])
    assert [group.name for group in group_rows(rows)] == ["ort", "calibrated"]


def test_the_same_seed_twice_is_not_two_seeds():
    rows = read([row(name, "qat", fine_tuned=True, training_seed=0) for name in ("a", "b")])
    assert [group.name for group in group_rows(rows)] == ["a", "b"]


def test_other_context_is_not_compared():
    rows = [row("base-float", "float", audio_context=FULL), *trained(0)]
    names = compared(rows)
    assert {kind for kind, _, a in names if a == "base-float"} == {"mixed"}
    assert ("quantization", "qat-int8", "control") in names


def test_other_bits_are_not_compared():
    other = row("control-ptq-int4", "ptq", fine_tuned=True, training_seed=0)
    other |= {"quantization_type": "int4", "scheme": "block-int4-32"}
    names = compared([*all_rows(), other])
    assert ("QAT effect", "qat-int8", "control-ptq-int4") not in names
    assert ("quantization", "control-ptq-int4", "control") in names


def test_other_base_model_is_not_compared_except_with_the_baseline():
    base = {"name": "whisper-small", "fingerprint": "77aa"}
    names = compared([*all_rows(), row("small-int8", "ptq", base_model=base)])
    assert [pair for pair in names if "small-int8" in pair] == [
        ("total", "small-int8", "base-float")
    ]


def test_base_models_match_by_name_or_fingerprint_and_unknown_fits():
    for base in ({"name": "whisper-base"}, {"fingerprint": "0f3a"}, {}, None):
        rows = [row("base-float", "float"), row("base-ptq-int8", "ptq", base_model=base)]
        assert compared(rows) == [("quantization", "base-ptq-int8", "base-float")]


def test_a_torch_row_is_its_own_comparison():
    names = compared([row("base-float", "float"), row("base-torch", "float", runtime="torch")])
    assert names == [("runtime", "base-torch", "base-float")]


def test_baseline_on_torch_still_gives_the_total():
    rows = [row("base-float", "float", runtime="torch"), row("qat-int8", "qat")]
    assert compared(rows) == [("total", "qat-int8", "base-float")]


def test_one_row_or_no_baseline():
    assert compared([row("qat-int8", "qat")], baseline=None) == []
    assert compared(all_rows(), baseline=None)[0][0] == "quantization"


def group(*seeds: int | None) -> Group:
    rows = [row(f"r{s}", "qat", training_seed=s, audio_context=CONTEXT) for s in seeds]
    return Group(name="g", rows=read(rows))


def matched(a: Group, b: Group) -> list[tuple[int | None, int | None]]:
    found = members(Pair(kind="total", a=a, b=b))
    return [(old.training_seed, new.training_seed) for old, new in found]


def test_members_match_by_seed_else_repeat_the_single_row():
    assert matched(group(0, 1, 2), group(2, 1)) == [(2, 2), (1, 1)]
    assert matched(group(None), group(0, 1)) == [(None, 0), (None, 1)]
    assert matched(group(0, 1), group(None)) == [(0, None), (1, None)]
    assert matched(group(0), group(7)) == [(0, 7)]
    assert matched(group(0, 1), group(5, 6)) == [(0, 5), (1, 6)]


def three(name: str, method: str = "qat", **changes: Any) -> list[dict[str, Any]]:
    return [
        row(f"{name}-s{seed}", method, fine_tuned=True, training_seed=seed, **changes)
        for seed in range(3)
    ]


INT4 = {"quantization_type": "int4", "scheme": "block-int4-32-f16"}


def test_a_whole_study_in_its_groups():
    """Two block sizes, a dynamic scheme, two recipes, three kinds of PTQ: none is mixed."""
    records = [
        *three("control", "float"),
        *three("int4", **INT4, plan="p32"),
        *three("int4-b128", **INT4 | {"scheme": "block-int4-128-f16"}, plan="p128"),
        *three("int4-mixed", **INT4, plan="mixed"),
        *three("int8-dynamic", quantization_type="int8", scheme="int8-dynamic"),
        *three("rtn", "ptq", **INT4 | {"scheme": "block-int4-32"}, ptq_method="round-to-nearest"),
        *three("gptq", "ptq", **INT4, plan="p32", ptq_method="gptq"),
        *three("hqq", "ptq", **INT4, plan="p32", ptq_method="hqq"),
    ]
    groups = group_rows(read(records))
    names = ["control", "int4", "int4-b128", "int4-mixed", "int8-dynamic", "rtn", "gptq", "hqq"]
    assert [g.name for g in groups] == [f"{name} (3 seeds)" for name in names]
    found = pairs(groups, None)
    effect = {(p.b.name, p.a.name) for p in found if p.kind == "QAT effect"}
    ptq = [f"{name} (3 seeds)" for name in ("rtn", "gptq", "hqq")]
    # Block 128 and the dynamic scheme have no PTQ of their own grid here.
    assert effect == {(f"{q} (3 seeds)", p) for q in ("int4", "int4-mixed") for p in ptq}
    assert len([p for p in found if p.kind == "quantization"]) == 7


def test_recipes_with_equal_records_are_told_apart_by_their_names():
    groups = group_rows(read([*three("ste"), *three("lsq")]))
    assert [g.name for g in groups] == ["ste (3 seeds)", "lsq (3 seeds)"]


def test_rows_without_a_common_name_are_called_by_what_they_are():
    names = ["ane", "bob", "cid"]
    records = [
        row(n, "ptq", fine_tuned=True, training_seed=i, ptq_method="gptq")
        for i, n in enumerate(names)
    ]
    (found,) = group_rows(read(records))
    assert found.name == "control PTQ block-int8-32 gptq (3 seeds)"


def test_groups_of_one_name_get_names_of_their_own():
    records = [
        row(n, "qat", fine_tuned=True, training_seed=i % 2, plan=str(i // 2))
        for i, n in enumerate(["ane", "bob", "cid", "dan"])
    ]
    assert [g.name for g in group_rows(read(records))] == [
        "QAT block-int8-32 (2 seeds), ane",
        "QAT block-int8-32 (2 seeds), cid",
    ]
