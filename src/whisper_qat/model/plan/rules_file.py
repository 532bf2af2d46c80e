"""Reads and writes plan files: ordered rules as YAML, for example

- pattern: model.decoder.*            # re.fullmatch on layer names; the first match decides
  scheme: block-int8-32-f16           # or block-int4-64-f16, int8-dynamic, float16, float ...
  why: two layers hold most of the loss

They are written by hand or by `analyze_sensitivity.py --propose`.
"""

import re
from collections import Counter
from pathlib import Path

import yaml
from torch import nn

from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import STORED, TOKEN_TABLE, Plan, Rule, check_scheme
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import UNQUANTIZED
from whisper_qat.shipped import find_plan

KEYS = {"pattern", "scheme", "why"}
MOST_LAYERS = 32  # of an encoder or decoder, in every published Whisper
ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
SIDES = {"encoder": ("self_attn",), "decoder": ("self_attn", "encoder_attn")}
LAYERS = [  # the linear layers of a large Whisper, and so of every smaller one
    f"model.{side}.layers.{number}.{part}"
    for side, attentions in SIDES.items()
    for number in range(MOST_LAYERS)
    for part in ("fc1", "fc2", *(f"{a}.{p}" for a in attentions for p in ATTENTION))
]


def read_rules_file(path: Path) -> list[Rule]:
    """Read the rules of the YAML file `path`, or of the shipped plan of that name, in order.

    InputError names the entry that is wrong.
    """
    try:
        content = yaml.safe_load(find_plan(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of rules (pattern, scheme, why)")
    return [_rule(entry, f"{path}: rule {i}") for i, entry in enumerate(content, 1)]


def same_effect(a: list[Rule], b: list[Rule]) -> bool:
    """Whether both give the same scheme to every layer of a Whisper."""
    names = [*LAYERS, TOKEN_TABLE, *STORED]
    return all(_first_scheme(a, name) == _first_scheme(b, name) for name in names)


def _first_scheme(rules: list[Rule], name: str) -> str | None:
    return next((r.scheme for r in rules if re.fullmatch(r.pattern, name)), None)


def write_rules_file(path: Path, rules: list[Rule]) -> None:
    """Write `rules` in order, in the form that `read_rules_file` reads."""
    entries = [{"pattern": r.pattern, "scheme": r.scheme, "why": r.why} for r in rules]
    path.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100))


def _rule(entry: object, where: str) -> Rule:
    if not isinstance(entry, dict) or set(entry) - KEYS or not {"pattern", "scheme"} <= set(entry):
        raise InputError(f"{where}: {entry!r} is not pattern, scheme and why")
    rule = Rule(**{"why": "", **{key: str(value) for key, value in entry.items()}})
    check_scheme(rule, where)
    return rule


def decide_type(plan_file: Path | None, quantization_type: str) -> str:
    """Determine the quantization type of a run: the one given, else the plan's, else int8.

    InputError for a plan without a layer of the given type, and for a plan of several widths when
    no type is given. The layer names of any Whisper are used, so no model is needed yet;
    `check_type` later counts the model's weights.
    """
    if plan_file is None:
        return quantization_type or "int8"
    widths = _widths(read_rules_file(plan_file))
    if not quantization_type:
        integer = [width for width in widths if width != "none"] or widths
        if len(integer) == 1:
            return integer[0]
        raise InputError(
            f"--plan {plan_file}: has layers of {' and '.join(integer)}; pass --quantization_type "
            "with the width of most of the weights"
        )
    if quantization_type == "none":
        raise InputError(
            f"--plan {plan_file}: quantization_type=none, the float control, follows no plan; "
            "leave one of the two out"
        )
    if quantization_type not in widths:
        raise InputError(
            f"--plan {plan_file}: has no layer of quantization_type={quantization_type}, only of "
            f"{' and '.join(widths)}; leave one of the two out"
        )
    return quantization_type


def _widths(rules: list[Rule]) -> list[str]:
    """List the quantization types that `rules` give to Whisper's linear layers, widest first."""
    found = {_width(next((r for r in rules if re.fullmatch(r.pattern, n)), None)) for n in LAYERS}
    return sorted(found, key=lambda width: -_bits(width))


def _bits(width: str) -> int:
    return 0 if width == "none" else int(width.removeprefix("int"))


def _width(rule: Rule | None) -> str:
    if rule is None or rule.scheme in UNQUANTIZED:
        return "none"
    return f"int{parse_scheme(rule.scheme).bits}"


def check_type(plan: Plan, model: nn.Module, quantization_type: str) -> None:
    """InputError when another type holds more of the plan's weights than `quantization_type`.

    Token table, convolutions and positions do not count: an int4 model stores them in more bits.
    """
    weights: Counter[str] = Counter()
    for entry in plan.layers:
        if entry.name not in (TOKEN_TABLE, *STORED):
            scheme = plan.quantized().get(entry.name)
            kind = "none" if scheme is None else f"int{scheme.bits}"
            weights[kind] += model.get_parameter(f"{entry.name}.weight").numel()
    kind, count = weights.most_common(1)[0]
    if weights[quantization_type] < count:
        share = count / weights.total()
        raise InputError(
            f"quantization_type={quantization_type}: the plan puts {share:.0%} of the layers' "
            f"weights in {kind}; pass --quantization_type {kind} or change the plan"
        )
