"""What may be said about QAT, in words, by the claim rule.

A claim is non-inferiority to the float control, pooled over at least three training seeds; the
point delta must meet the target and nothing is claimed below the smallest margin that the sample
can prove. 'No significant difference' is never a claim: it gets easier as the sample shrinks.
"""

import re
from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.groups import (
    ADAPTATION,
    MIXED,
    QAT_EFFECT,
    QUANTIZATION,
    TOTAL,
    TRAINING,
    Group,
)
from whisper_qat.report.evaluation.rows import QAT, Row
from whisper_qat.report.render.printing import listing, percent, plural, points

MIN_SEEDS = 3
# Allowed WER delta to float, as a fraction of words, by bits; int2 has only an aim of ours.
TARGETS = {"int8": 0.005, "int4": 0.02, "int2": 0.03}
OWN_TARGETS = {"int8": 0.003, "int4": 0.005, "int2": 0.03}
LARGE_BLOCK, OWN_TARGET_LARGE_BLOCK = 128, {"int4": 0.01}

Comparison = dict[str, Any]
Claim = dict[str, Any]


def claims(groups: list[Group], comparisons: list[Comparison], normalizer: str) -> list[Claim]:
    """Sentences about every QAT group on all corpora under one normaliser."""
    scope = [c for c in comparisons if c["corpus"] == ALL and c["normalizer"] == normalizer]
    trained = [group for group in groups if group.role == QAT]
    if not trained:
        return [_claim("scope", False, "No QAT row was measured, so nothing is said about QAT.")]
    return [claim for group in trained for claim in _about(group, scope)]


def _about(group: Group, scope: list[Comparison]) -> list[Claim]:
    """Every control, every PTQ of a control and every PTQ of the base that it was compared with."""
    kinds: dict[str, list[Comparison]] = {}
    for c in scope:
        if c["b"] == group.name:
            kinds.setdefault(c["kind"], []).append(c)
    total = next(iter(kinds.get(TOTAL, kinds.get(MIXED, []))), None)
    found = [_against_control(group, c, total) for c in kinds.get(QUANTIZATION, [None])]
    found += [_qat_effect(group, c) for c in kinds.get(QAT_EFFECT, [None])]
    training = [c for c in scope if c["kind"] == TRAINING]
    return found + [_adaptation(c, training) for c in kinds.get(ADAPTATION, [])]


def _claim(kind: str, claimed: bool, text: str) -> Claim:
    return {"kind": kind, "claimed": claimed, "text": text}


def measured(c: Comparison) -> str:
    """The difference with everything a number must carry."""
    return (
        f"{points(c['delta'])} points of WER (95\u00a0% CI {points(c['low'])} "
        f"to {points(c['high'])}; {plural(c['clips'], 'clip')}, {plural(c['words'], 'word')}, "
        f"normaliser {c['normalizer']})"
    )


def num_seeds(c: Comparison) -> int:
    """Training seeds behind a comparison; a row that does not name its seed counts as one."""
    return max(1, len(c["seeds"]))


def _seeds(c: Comparison) -> str:
    return "one training seed" if num_seeds(c) == 1 else f"{num_seeds(c)} training seeds"


def _against_control(group: Group, c: Comparison | None, total: Comparison | None) -> Claim:
    if c is None:
        text = (
            f"{group.name}: no float control with the same audio context was measured, so the cost "
            "of quantization cannot be told from the gain of training on this data. No claim of "
            "non-inferiority is made."
        )
        if total is not None:
            context = ", and the audio context differs too" if total["kind"] == MIXED else ""
            text += f" Both together, {total['b']} minus {total['a']}: {measured(total)}{context}."
        return _claim("non-inferiority", False, text)
    delta = f"{c['b']} minus {c['a']}: {measured(c)}."
    margin = (
        f"The smallest margin that this sample can prove is {percent(c['smallest_margin'])} points."
    )
    if num_seeds(c) < MIN_SEEDS:
        seeds = "This is one training seed" if num_seeds(c) == 1 else f"These are {_seeds(c)}"
        rule = f"{seeds}; a claim of non-inferiority needs {MIN_SEEDS}, so none is made."
        return _claim("non-inferiority", False, f"{delta} {rule} {margin}")
    claimed, verdict = _verdict(group, c)
    return _claim("non-inferiority", claimed, f"{delta} {verdict} {margin}")


def targets(row: Row) -> tuple[str, float, float]:
    """Bits in words, the mission's target and our own; large blocks have a wider one of ours."""
    bits = row.quantization_type.partition("-")[0]
    own = OWN_TARGETS[bits]
    size = re.search(r"block-int\d+-(\d+)", row.scheme or "")
    if size and int(size[1]) >= LARGE_BLOCK:
        own = OWN_TARGET_LARGE_BLOCK.get(bits, own)
    return bits, TARGETS[bits], own


def _verdict(group: Group, c: Comparison) -> tuple[bool, str]:
    """Whether the target is met, and in which words, for a comparison with enough seeds."""
    bits, target, own = targets(group.rows[0])
    if c["delta"] > target:
        return False, (
            f"Over {_seeds(c)} the delta misses the target of {percent(target)} points for {bits}; "
            "no claim is made."
        )
    stricter = "meets" if c["delta"] <= own else "misses"
    proof = (
        "."
        if c["smallest_margin"] <= target
        else "; the sample is too small to prove the target itself."
    )
    return True, (
        f"Pooled over {_seeds(c)}, {c['b']} is non-inferior to its float control within "
        f"{percent(c['smallest_margin'])} points. The delta meets the target of {percent(target)} "
        f"points for {bits} and {stricter} the stricter one of {percent(own)}{proof}"
    )


def _qat_effect(group: Group, c: Comparison | None) -> Claim:
    if c is None:
        text = (
            f"{group.name}: the float control quantized afterwards (PTQ) was not measured, so what "
            "QAT itself adds is not known."
        )
        return _claim("QAT effect", False, text)
    if c["high"] < 0:
        text = f"QAT lowers WER against quantizing the float control afterwards ({c['a']})"
    elif c["low"] > 0:
        text = f"QAT is worse than quantizing the float control afterwards ({c['a']})"
    else:
        text = (
            f"QAT adds nothing measurable over quantizing the float control afterwards ({c['a']}): "
            "the interval includes 0"
        )
    return _claim("QAT effect", c["high"] < 0, f"{text}. {c['b']}: {measured(c)}, {_seeds(c)}.")


def _adaptation(c: Comparison, training: list[Comparison]) -> Claim:
    text = (
        f"Against the base model quantized ({c['a']}), {c['b']} differs by {measured(c)}. That is "
        "adaptation to the training data together with quantization"
    )
    if not training:
        return _claim("adaptation", False, f"{text}; without a float control they stay mixed.")
    gains = [f"{points(t['delta'])} points ({t['b']} minus {t['a']})" for t in training]
    text += f"; training in float alone gives {listing(gains)}."
    return _claim("adaptation", False, text)
