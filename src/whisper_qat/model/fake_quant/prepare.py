"""Makes a plan for a model and applies it: planned layers are replaced by fake-quantized ones.

Training applies the plan and saves it with the checkpoint; conversion reads the same file. Rules
are tried in order; the first that matches a name and suits the kind of layer decides. Convolutions
and position tables can be float or float16 only.
"""

import re
from collections.abc import Sequence

from torch import nn

from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.half_storage import in_half
from whisper_qat.model.fake_quant.layers import FakeQuantEmbedding, FakeQuantLinear
from whisper_qat.model.plan.plan import HEAD, STORED, TOKEN_TABLE, Plan, PlanEntry, Rule
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import FLOAT, FLOAT16, UNQUANTIZED, Scheme


def quantizable(model: nn.Module) -> list[str]:
    """Return the names of the layers that a plan covers.

    These are every Linear, the token table (which stands for the tied head too), and the layers
    that can only be stored in float16 (`STORED`).
    """
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and n != HEAD]
    return [*linear, TOKEN_TABLE, *STORED]


def plan(model: nn.Module, rules: Sequence[Rule]) -> Plan:
    """Make the plan that `rules` give for `model`; a layer that no rule matches stays float.

    Raises InputError for a rule that matches no layer: its pattern must be misspelt.
    """
    names = quantizable(model)
    entries = [_entry(name, rules) for name in names]
    for rule in rules:
        if not any(re.fullmatch(rule.pattern, name) for name in names):
            raise InputError(f"plan rule {rule.pattern!r}: matches no layer of this model")
    return Plan(tuple(entries))


def _entry(name: str, rules: Sequence[Rule]) -> PlanEntry:
    for rule in rules:
        fits = name not in STORED or rule.scheme in UNQUANTIZED
        if fits and re.fullmatch(rule.pattern, name):
            _check_table(name, rule.scheme, f"plan rule {rule.pattern!r}")
            return PlanEntry(name=name, scheme=rule.scheme, why=rule.why)
    return PlanEntry(name=name, scheme=FLOAT, why="no rule matches")


def _check_table(name: str, scheme: str, where: str) -> None:
    """InputError for a token table in a scheme that no lookup kernel reads."""
    if name != TOKEN_TABLE or scheme in UNQUANTIZED:
        return
    if not parse_scheme(scheme).has_lookup:
        raise InputError(
            f"{where}: {TOKEN_TABLE} (with its tied head) is float or a block scheme, not "
            f"{scheme}; put a rule of its own before"
        )


def apply_plan(model: nn.Module, plan: Plan) -> None:
    """Replace the planned layers of `model` in place by fake-quantized ones that share weights.

    Raises InputError for a planned layer that the model does not have.
    """
    known, schemes = set(quantizable(model)), plan.quantized()
    for entry in plan.layers:
        _check_table(entry.name, entry.scheme, "plan")
    for name in [*schemes, *plan.half()]:
        if name not in known:
            raise InputError(f"plan: layer {name!r} is not in this model")
        if name == TOKEN_TABLE and name not in schemes:
            raise InputError(
                f"plan: {name!r} is float or an integer scheme; {FLOAT16} is not built"
            )
        if name not in schemes:
            _set(model, name, in_half(model.get_submodule(name)))
        elif name in STORED:
            raise InputError(f"plan: {name!r} can be {' or '.join(UNQUANTIZED)}, not quantized")
        else:
            _replace(model, name, schemes[name])


def _replace(model: nn.Module, name: str, scheme: Scheme) -> None:
    layer = model.get_submodule(name)
    if name == TOKEN_TABLE:
        head = model.get_submodule(HEAD)
        # Only a tied head is supported: two quantized tables would have to be stored twice.
        if head.weight is not layer.weight:
            raise InputError(f"plan: {HEAD} does not share the weight of {TOKEN_TABLE}")
        _set(model, HEAD, FakeQuantLinear(layer.weight, head.bias, scheme))
        _set(model, name, FakeQuantEmbedding(layer.weight, scheme))
    else:
        _set(model, name, FakeQuantLinear(layer.weight, layer.bias, scheme))


def _set(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layer)
