"""The statements about QAT that an evaluation supports, as sentences.

QAT is claimed to be non-inferior to its float control only when the difference, pooled over at
least three training seeds, meets the target; the margin of the claim is the smallest one that the
sample can prove. Fewer seeds give the measured difference and no claim. 'No significant difference'
is never a claim: it gets easier to reach as the sample shrinks.
"""

import re
from typing import Any

from whisper_qat.report.evaluation.comparisons import ALL, has_width
from whisper_qat.report.evaluation.groups import (
    ADAPTATION,
    MIXED,
    QAT_EFFECT,
    QUANTIZATION,
    TOTAL,
    TRAINING,
    Group,
)
from whisper_qat.report.evaluation.rows import QAT, EvaluatedSystem
from whisper_qat.report.render.printing import listing, percent, plural, points

MIN_SEEDS = 3
# Largest accepted increase in WER over float, as a fraction of reference words, by bits. int3
# and int2 have no requirement from outside, so their two targets are equal.
TARGETS = {"int8": 0.005, "int4": 0.02, "int3": 0.01, "int2": 0.03}
STRICTER_TARGETS = {"int8": 0.003, "int4": 0.005, "int3": 0.01, "int2": 0.03}
LARGE_BLOCK, STRICTER_TARGETS_LARGE_BLOCK = 128, {"int4": 0.01}

Comparison = dict[str, Any]
Claim = dict[str, Any]


def claims(groups: list[Group], comparisons: list[Comparison], normalizer: str) -> list[Claim]:
    """Sentences about every QAT group on all corpora under one normaliser."""
    scope = [c for c in comparisons if c["corpus"] == ALL and c["normalizer"] == normalizer]
    trained = [group for group in groups if group.role == QAT]
    if not trained:
        text = "No QAT system was measured, so this report makes no statement about QAT."
        return [_claim("scope", False, text)]
    return [claim for group in trained for claim in _claims_of_group(group, scope)]


def _claims_of_group(group: Group, scope: list[Comparison]) -> list[Claim]:
    """One claim for each control, PTQ of a control and PTQ of the base that it is compared with."""
    kinds: dict[str, list[Comparison]] = {}
    for c in scope:
        if c["b"] == group.name:
            kinds.setdefault(c["kind"], []).append(c)
    total = next(iter(kinds.get(TOTAL, kinds.get(MIXED, []))), None)
    found = [_non_inferiority(group, c, total) for c in kinds.get(QUANTIZATION, [None])]
    found += [_qat_effect(group, c) for c in kinds.get(QAT_EFFECT, [None])]
    training = [c for c in scope if c["kind"] == TRAINING]
    return found + [_adaptation(c, training) for c in kinds.get(ADAPTATION, [])]


def _claim(kind: str, claimed: bool, text: str) -> Claim:
    return {"kind": kind, "claimed": claimed, "text": text}


def describe_difference(c: Comparison) -> str:
    """One sentence: the difference with its interval, sample, normaliser and training seeds."""
    seeds = num_seeds(c)
    return (
        f"The WER of {c['b']} minus that of {c['a']} is {points(c['delta'])} points "
        f"(95\u00a0% CI {points(c['low'])} to {points(c['high'])}; {plural(c['clips'], 'clip')}, "
        f"{plural(c['words'], 'word')}, normaliser {c['normalizer']}), "
        + ("from one training seed." if seeds == 1 else f"pooled over {seeds} training seeds.")
    )


def num_seeds(c: Comparison) -> int:
    """Training seeds behind a comparison; a system that does not name its seed counts as one."""
    return max(1, len(c["seeds"]))


def _non_inferiority(group: Group, c: Comparison | None, total: Comparison | None) -> Claim:
    if c is None:
        text = (
            f"{group.name}: no float control with the same audio context was measured, so the cost "
            "of quantization cannot be separated from the effect of training on this data. "
            "Non-inferiority is not claimed."
        )
        if total is not None:
            causes = "training and quantization"
            if total["kind"] == MIXED:
                causes = "training, quantization and a different audio context"
            text += f" The combined effect of {causes}: {_lower_first(describe_difference(total))}"
        return _claim("non-inferiority", False, text)
    claimed, verdict = False, _too_few_seeds(c, "margin")
    if num_seeds(c) >= MIN_SEEDS:
        claimed, verdict = _verdict(group, c)
    return _claim("non-inferiority", claimed, f"{describe_difference(c)} {verdict}")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _too_few_seeds(c: Comparison, what: str) -> str:
    """Why nothing is claimed from one or two training seeds, whatever the clips show."""
    runs = "One training run does" if num_seeds(c) == 1 else "Two training runs do"
    return f"{runs} not show how training runs vary, so no {what} is claimed."


NO_WIDTH = (
    "The interval has no width, because every resample of the clips gives the same difference; no "
    "margin can be derived from it."
)


def targets(row: EvaluatedSystem) -> tuple[str, float, float]:
    """The number format, its target and the stricter one, which is wider for large blocks."""
    bits = row.quantization_type.partition("-")[0]
    stricter = STRICTER_TARGETS[bits]
    size = re.search(r"block-int\d+-(\d+)", row.scheme or "")
    if size and int(size[1]) >= LARGE_BLOCK:
        stricter = STRICTER_TARGETS_LARGE_BLOCK.get(bits, stricter)
    return bits, TARGETS[bits], stricter


def _verdict(group: Group, c: Comparison) -> tuple[bool, str]:
    """Whether the target is met, and in which words, for a comparison with enough seeds."""
    bits, target, stricter = targets(group.rows[0])
    margin = c["smallest_margin"]
    if c["delta"] > target:
        provable = f"The smallest margin that this sample can prove is {percent(margin)} points."
        return False, (
            f"The difference misses the target of {percent(target)} points for {bits}, so "
            f"non-inferiority is not claimed. {provable if has_width(c) else NO_WIDTH}"
        )
    met = f"The difference meets the target of {percent(target)} points for {bits}"
    if stricter < target:
        met += " and also" if c["delta"] <= stricter else " but misses"
        met += f" the stricter target of {percent(stricter)} points"
    if not has_width(c):
        return True, f"{met}. {NO_WIDTH}"
    within = (
        f"within {percent(margin)} points, the smallest margin that this sample can prove"
        if margin
        else "at any margin, because the whole interval is at or below 0"
    )
    proof = "" if margin <= target else " The sample is too small to prove the target itself."
    return True, f"{met}. {c['b']} is non-inferior to its float control {within}.{proof}"


def _qat_effect(group: Group, c: Comparison | None) -> Claim:
    if c is None:
        text = (
            f"{group.name}: post-training quantization (PTQ) of the float control was not "
            "measured, so the effect of QAT itself is not known."
        )
        return _claim("QAT effect", False, text)
    if num_seeds(c) < MIN_SEEDS:
        text = f"{describe_difference(c)} {_too_few_seeds(c, 'effect of QAT')}"
        return _claim("QAT effect", False, text)
    other = f"PTQ of the float control ({c['a']})"
    if c["high"] < 0:
        text = f"QAT has a lower WER than {other}."
    elif c["low"] > 0:
        text = f"QAT has a higher WER than {other}."
    else:
        text = (
            f"The sample does not show whether QAT is better or worse than {other}: the interval "
            "includes 0."
        )
    return _claim("QAT effect", c["high"] < 0, f"{text} {describe_difference(c)}")


def _adaptation(c: Comparison, training: list[Comparison]) -> Claim:
    text = (
        f"{describe_difference(c)} Because {c['a']} is PTQ of the base model, this difference "
        "combines the effect of training on this data with that of QAT"
    )
    if not training:
        text += "; without a float control the two cannot be separated."
        return _claim("adaptation", False, text)
    gains = [f"{points(t['delta'])} points ({t['b']} minus {t['a']})" for t in training]
    text += f"; training in float alone changes the WER by {listing(gains)}."
    return _claim("adaptation", False, text)
