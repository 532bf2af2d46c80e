"""The claim rule in words: what is said in each case, and when nothing is claimed."""

from pathlib import Path
from typing import Any

from tests.report.synthetic import row
from whisper_qat.report.evaluation.claims import claims, targets
from whisper_qat.report.evaluation.groups import Group
from whisper_qat.report.evaluation.rows import read_row


def qat(quantization_type: str = "int8") -> Group:
    record = row("qat", "qat", fine_tuned=True, quantization_type=quantization_type)
    return Group(name="qat", rows=[read_row(record, Path("m.json"))])


def difference(kind: str, a: str, *, b: str = "qat", **changes: Any) -> dict[str, Any]:
    return {
        "corpus": "all",
        "normalizer": "card",
        "kind": kind,
        "a": a,
        "b": b,
        "clips": 100,
        "words": 2000,
        "delta": 0.001,
        "low": -0.002,
        "high": 0.004,
        "smallest_margin": 0.004,
        "seeds": [0, 1, 2],
    } | changes


def said(*comparisons: dict[str, Any], group: Group | None = None) -> dict[str, dict[str, Any]]:
    found = claims([group or qat()], list(comparisons), "card")
    return {claim["kind"]: claim for claim in found}


def test_three_seeds_within_the_target_are_claimed_with_the_margin():
    claim = said(difference("quantization", "control"))["non-inferiority"]
    assert claim["claimed"]
    assert claim["text"] == (
        "qat minus control: +0.10 points of WER (95\u00a0% CI −0.20 to +0.40; "
        "100 clips, 2,000 words, normaliser card). Pooled over 3 training seeds, "
        "qat is non-inferior to its float control within 0.40 points. The delta meets the target "
        "of 0.50 points for int8 and meets the stricter one of 0.30. The smallest margin that "
        "this sample can prove is 0.40 points."
    )


def test_one_seed_is_no_claim():
    claim = said(difference("quantization", "control", seeds=[0]))["non-inferiority"]
    assert not claim["claimed"]
    assert "This is one training seed; a claim of non-inferiority needs 3, so none" in claim["text"]
    assert "The smallest margin that this sample can prove is 0.40 points." in claim["text"]


def test_unnamed_seeds_count_as_one_and_two_are_not_three():
    unnamed = said(difference("quantization", "control", seeds=[]))["non-inferiority"]
    assert "This is one training seed" in unnamed["text"]
    two = said(difference("quantization", "control", seeds=[0, 1]))["non-inferiority"]
    assert not two["claimed"] and "These are 2 training seeds" in two["text"]


def test_a_missed_target_is_no_claim():
    missed = difference("quantization", "control", delta=0.006, high=0.009, smallest_margin=0.009)
    claim = said(missed)["non-inferiority"]
    assert not claim["claimed"]
    assert "misses the target of 0.50 points for int8; no claim is made" in claim["text"]
    int4 = said(missed, group=qat("int4"))["non-inferiority"]
    assert int4["claimed"] and "target of 2.00 points for int4" in int4["text"]
    assert "misses the stricter one of 0.50" in int4["text"]


def test_a_small_sample_says_so():
    wide = difference("quantization", "control", high=0.017, smallest_margin=0.017)
    claim = said(wide)["non-inferiority"]
    assert "within 1.70 points" in claim["text"]
    assert "the sample is too small to prove the target itself" in claim["text"]


def test_without_control_both_effects_stay_mixed():
    found = said(difference("total", "base-float"))
    claim = found["non-inferiority"]
    assert not claim["claimed"]
    assert "no float control with the same audio context was measured" in claim["text"]
    assert "Both together, qat minus base-float: +0.10 points" in claim["text"]
    mixed = said(difference("mixed", "base-float"))["non-inferiority"]
    assert "and the audio context differs too." in mixed["text"]
    assert "was not measured, so what QAT itself adds is not known" in found["QAT effect"]["text"]


def test_qat_effect_that_includes_zero_adds_nothing():
    claim = said(difference("QAT effect", "control-ptq"))["QAT effect"]
    assert not claim["claimed"]
    assert claim["text"].startswith(
        "QAT adds nothing measurable over quantizing the float control afterwards (control-ptq): "
        "the interval includes 0."
    )


def test_qat_effect_better_and_worse():
    better = said(difference("QAT effect", "control-ptq", delta=-0.01, low=-0.02, high=-0.001))
    assert better["QAT effect"]["claimed"]
    assert better["QAT effect"]["text"].startswith("QAT lowers WER against quantizing")
    worse = said(difference("QAT effect", "control-ptq", delta=0.01, low=0.001, high=0.02))
    assert worse["QAT effect"]["text"].startswith("QAT is worse than quantizing")


def test_adaptation_names_the_gain_of_training_alone():
    gain = difference("training", "base-float", b="control", delta=-0.02)
    claim = said(difference("adaptation", "base-ptq", delta=-0.03), gain)["adaptation"]
    assert "differs by −3.00 points" in claim["text"]
    assert "training in float alone gives −2.00 points (control minus base-float)" in claim["text"]
    alone = said(difference("adaptation", "base-ptq"))["adaptation"]
    assert "without a float control they stay mixed" in alone["text"]


def test_other_corpora_and_normalisers_make_no_claims():
    single = difference("quantization", "control", corpus="prompts")
    other = difference("quantization", "control", normalizer="fr")
    assert "no float control" in said(single, other)["non-inferiority"]["text"]


def test_no_qat_row():
    (claim,) = claims([], [], "card")
    assert claim["text"] == "No QAT row was measured, so nothing is said about QAT."


def test_every_ptq_and_its_claim():
    effects = [
        difference("QAT effect", name, high=high)
        for name, high in (("rtn", -0.001), ("gptq", 0.004))
    ]
    found = [c for c in claims([qat()], effects, "card") if c["kind"] == "QAT effect"]
    assert [c["claimed"] for c in found] == [True, False]
    assert "(rtn)" in found[0]["text"] and "(gptq)" in found[1]["text"]


def test_targets_by_bits_and_block_size():
    made = [
        ("int8", "int8-dynamic", ("int8", 0.005, 0.003)),
        ("int4", "block-int4-32-f16", ("int4", 0.02, 0.005)),
        ("int4", "block-int4-128-f16", ("int4", 0.02, 0.01)),
        ("int8", "block-int8-128", ("int8", 0.005, 0.003)),
        ("int2", "block-int2-32-f16", ("int2", 0.03, 0.03)),
    ]
    for bits, scheme, expected in made:
        record = row("q", "qat", quantization_type=bits, scheme=scheme)
        assert targets(read_row(record, Path("m.json"))) == expected
