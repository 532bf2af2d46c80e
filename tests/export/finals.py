"""Quantized checkpoints in memory, rounded to nearest, for the writers of other formats."""

from pathlib import Path

from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.plan.plan import Rule
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.ptq.round_to_nearest import round_to_nearest

PLANS = Path(__file__).parents[2] / "configs" / "plans"


def info(quantization_type: str) -> Info:
    return Info(
        quantization_type=quantization_type,
        method="qat",
        fine_tuned=True,
        audio_context={"mode": "full", "margin_s": 0.0},
        base_model={"name": "tiny", "fingerprint": "abc"},
    )


def quantized(base: Path, rules: list[Rule] | str, quantization_type: str = "int8") -> Final:
    """`base` by `rules`, or by the shipped plan of that name."""
    if isinstance(rules, str):
        rules = read_rules_file(PLANS / f"{rules}.yaml")
    model = load_whisper(base)
    return Final(model, round_to_nearest(model, rules), info(quantization_type))


def floating(base: Path) -> Final:
    return Final(load_whisper(base), None, info("none"))


def rule(pattern: str, scheme: str) -> Rule:
    return Rule(pattern=pattern, scheme=scheme, why="test")
