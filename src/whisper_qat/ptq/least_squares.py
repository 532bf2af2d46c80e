"""The least-squares PTQ baseline: scales of least squared error, without data or training."""

from collections.abc import Sequence

from torch import nn

from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import Plan, Rule
from whisper_qat.quant.least_squares_scale import choose_params


def least_squares(model: nn.Module, rules: Sequence[Rule]) -> Plan:
    """Quantize `model` in place by the plan that `rules` give; return the plan."""
    made = plan(model, rules)
    apply_plan(model, made)
    fix_least_squares(model)
    return made


def fix_least_squares(model: nn.Module) -> None:
    """Fix every layer's scale by least squares; token table and head share one scale."""
    by_weight: dict[int, FakeQuantWeight] = {}
    for layer in fake_quantized(model).values():
        first = by_weight.setdefault(id(layer.weight), layer)
        chosen = layer is first
        layer.fix_scale(choose_params(layer.weight, layer.scheme)[0] if chosen else first.scale())
