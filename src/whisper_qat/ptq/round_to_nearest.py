"""The round-to-nearest PTQ baseline: ORT's own scales, without training.

It uses the plan, the layers and the exporter of QAT, so a PTQ and a QAT model differ only in codes
and scales.
"""

from collections.abc import Sequence

from torch import nn

from whisper_qat.model.checkpoint.final import fix_scales
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import Plan, Rule


def round_to_nearest(model: nn.Module, rules: Sequence[Rule]) -> Plan:
    """Quantize `model` in place by the plan that `rules` give; return the plan."""
    made = plan(model, rules)
    apply_plan(model, made)
    fix_scales(model)
    return made
