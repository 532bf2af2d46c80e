"""The statements about QAT: their words in each case, and when nothing is claimed."""

from pathlib import Path
from typing import Any

import pytest

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


def statements(
    *comparisons: dict[str, Any], group: Group | None = None
) -> dict[str, dict[str, Any]]:
    found = claims([group or qat()], list(comparisons), "card")
    return {claim["kind"]: claim for claim in found}


DIFFERENCE = (
    "The WER of qat minus that of control is +0.10 points (95\u00a0% CI −0.20 to +0.40; "
    "100 clips, 2,000 words, normaliser card), "
)


def test_three_seeds_within_the_target_are_claimed_with_the_margin():
    claim = statements(difference("quantization", "control"))["non-inferiority"]
    assert claim["claimed"]
    assert claim["text"] == DIFFERENCE + (
        "pooled over 3 training seeds. The difference meets the target of 0.50 points for int8 and "
        "also the stricter target of 0.30 points. qat is non-inferior to its float control within "
        "0.40 points, the smallest margin that this sample can prove."
    )


ONE_RUN = "One training run does not show how training runs vary, so no {} is claimed."
TWO_RUNS = "Two training runs do not show how training runs vary, so no {} is claimed."


@pytest.mark.parametrize(
    ("kind", "subject", "what"),
    [("quantization", "non-inferiority", "margin"), ("QAT effect", "QAT effect", "effect of QAT")],
)
def test_one_seed_gives_the_difference_and_no_claim(kind: str, subject: str, what: str):
    """Not even where all intervals lie on one side of 0 or have no width."""
    for low, high in ((-0.002, 0.004), (-0.02, 0.0), (-0.02, -0.01), (0.01, 0.02), (0.0, 0.0)):
        one = difference(kind, "control", seeds=[0], low=low, high=high, smallest_margin=0.0)
        claim = statements(one)[subject]
        assert not claim["claimed"]
        start, end = claim["text"].split(", from one training seed. ")
        assert start.startswith(
            "The WER of qat minus that of control is +0.10 points (95\u00a0% CI"
        )
        assert start.endswith("; 100 clips, 2,000 words, normaliser card)")
        assert end == ONE_RUN.format(what)


NONE = {"delta": 0.0, "low": 0.0, "high": 0.0, "smallest_margin": 0.0}


@pytest.mark.parametrize("delta", [0.0, 0.009], ids=["target met", "target missed"])
def test_an_interval_without_width_gives_no_margin(delta: float):
    equal = difference("quantization", "control", **NONE | {"delta": delta})
    claim = statements(equal)["non-inferiority"]
    assert claim["text"].endswith(
        "The interval has no width, because every resample of the clips gives the same difference; "
        "no margin can be derived from it."
    )
    assert claim["claimed"] == (delta == 0)


def test_three_seeds_with_fewer_errors_need_no_margin():
    better = difference(
        "quantization", "control", delta=-0.01, low=-0.02, high=-0.001, smallest_margin=0.0
    )
    claim = statements(better)["non-inferiority"]
    assert claim["claimed"]
    assert claim["text"].endswith("at any margin, because the whole interval is at or below 0.")


def test_unnamed_seeds_count_as_one_and_two_are_not_three():
    unnamed = statements(difference("quantization", "control", seeds=[]))["non-inferiority"]
    assert "from one training seed" in unnamed["text"]
    two = statements(difference("quantization", "control", seeds=[0, 1]))["non-inferiority"]
    assert not two["claimed"] and "pooled over 2 training seeds" in two["text"]
    assert two["text"].endswith(TWO_RUNS.format("margin"))


def test_a_missed_target_is_no_claim():
    missed = difference("quantization", "control", delta=0.006, high=0.009, smallest_margin=0.009)
    claim = statements(missed)["non-inferiority"]
    assert not claim["claimed"]
    assert claim["text"].endswith(
        "The difference misses the target of 0.50 points for int8, so non-inferiority is not "
        "claimed. The smallest margin that this sample can prove is 0.90 points."
    )
    int4 = statements(missed, group=qat("int4"))["non-inferiority"]
    assert int4["claimed"] and "target of 2.00 points for int4" in int4["text"]
    assert "but misses the stricter target of 0.50 points" in int4["text"]


def test_equal_targets_are_named_once():
    text = statements(difference("quantization", "control"), group=qat("int2"))["non-inferiority"]
    assert "target of 3.00 points for int2. qat is" in text["text"]


def test_a_small_sample_says_so():
    wide = difference("quantization", "control", high=0.017, smallest_margin=0.017)
    claim = statements(wide)["non-inferiority"]
    assert "within 1.70 points" in claim["text"]
    assert "The sample is too small to prove the target itself." in claim["text"]


def test_without_control_the_effects_cannot_be_separated():
    found = statements(difference("total", "base-float"))
    claim = found["non-inferiority"]
    assert not claim["claimed"]
    assert "no float control with the same audio context was measured" in claim["text"]
    assert (
        "The combined effect of training and quantization: the WER of qat minus that of base-float "
        "is +0.10 points"
    ) in claim["text"]
    mixed = statements(difference("mixed", "base-float"))["non-inferiority"]
    assert "training, quantization and a different audio context: the" in mixed["text"]
    assert (
        "was not measured, so the effect of QAT itself is not known" in found["QAT effect"]["text"]
    )


def test_qat_effect_whose_interval_includes_zero():
    claim = statements(difference("QAT effect", "control-ptq"))["QAT effect"]
    assert not claim["claimed"]
    assert claim["text"].startswith(
        "The sample does not show whether QAT is better or worse than PTQ of the float control "
        "(control-ptq): the interval includes 0. The WER of qat minus that of control-ptq is"
    )
    assert claim["text"].endswith("pooled over 3 training seeds.")


def test_qat_effect_better_and_worse():
    better = statements(
        difference("QAT effect", "control-ptq", delta=-0.01, low=-0.02, high=-0.001)
    )
    assert better["QAT effect"]["claimed"]
    assert better["QAT effect"]["text"].startswith("QAT has a lower WER than PTQ of the float")
    worse = statements(difference("QAT effect", "control-ptq", delta=0.01, low=0.001, high=0.02))
    assert not worse["QAT effect"]["claimed"]
    assert worse["QAT effect"]["text"].startswith("QAT has a higher WER than PTQ of the float")
    assert worse["QAT effect"]["text"].endswith("pooled over 3 training seeds.")


def test_adaptation_names_the_effect_of_training_alone():
    gain = difference("training", "base-float", b="control", delta=-0.02)
    claim = statements(difference("adaptation", "base-ptq", delta=-0.03), gain)["adaptation"]
    assert "The WER of qat minus that of base-ptq is −3.00 points" in claim["text"]
    assert claim["text"].endswith(
        "training in float alone changes the WER by −2.00 points (control minus base-float)."
    )
    alone = statements(difference("adaptation", "base-ptq"))["adaptation"]
    assert "without a float control the two cannot be separated" in alone["text"]


def test_other_corpora_and_normalisers_make_no_claims():
    single = difference("quantization", "control", corpus="prompts")
    other = difference("quantization", "control", normalizer="fr")
    assert "no float control" in statements(single, other)["non-inferiority"]["text"]


def test_no_qat_row():
    (claim,) = claims([], [], "card")
    assert claim["text"] == (
        "No QAT system was measured, so this report makes no statement about QAT."
    )


def test_every_ptq_and_its_claim():
    effects = [
        difference("QAT effect", name, high=high)
        for name, high in (("rtn", -0.001), ("gptq", 0.004))
    ]
    found = [c for c in claims([qat()], effects, "card") if c["kind"] == "QAT effect"]
    assert [c["claimed"] for c in found] == [True, False]
    assert "(rtn)" in found[0]["text"] and "(gptq)" in found[1]["text"]


def test_targets_by_bits_and_block_size():
    cases = [
        ("int8", "int8-dynamic", ("int8", 0.005, 0.003)),
        ("int4", "block-int4-32-f16", ("int4", 0.02, 0.005)),
        ("int4", "block-int4-128-f16", ("int4", 0.02, 0.01)),
        ("int8", "block-int8-128", ("int8", 0.005, 0.003)),
        ("int2", "block-int2-32-f16", ("int2", 0.03, 0.03)),
    ]
    for bits, scheme, expected in cases:
        record = row("q", "qat", quantization_type=bits, scheme=scheme)
        assert targets(read_row(record, Path("m.json"))) == expected
