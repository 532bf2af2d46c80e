"""The plan: which layer is quantized how and why, as data; and its application to a model.

Training applies the plan and saves it with the checkpoint; conversion consumes the same file.
Rules are tried in order, the first that matches a name and fits the kind of layer decides.
`model.decoder.embed_tokens` stands for the token table and for the output head `proj_out`, which
share one weight in every Whisper. Convolutions and position tables can be float or float16 only.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from whisper_qat.artifacts import read_json, write_json
from whisper_qat.config import InputError, nearest
from whisper_qat.model.fake_linear import FLOAT, FakeQuantEmbedding, FakeQuantLinear
from whisper_qat.model.half_storage import in_half
from whisper_qat.quant import half
from whisper_qat.quant.scheme import BlockScheme, Scheme, parse_scheme

PLAN_NAME = "plan.json"
PLAN_VERSION = 1
TOKEN_TABLE = "model.decoder.embed_tokens"
HEAD = "proj_out"
STORED = (
    "model.encoder.conv1", "model.encoder.conv2",
    "model.encoder.embed_positions", "model.decoder.embed_positions",
)  # fmt: skip
UNQUANTIZED = (FLOAT, half.NAME)
QUANTIZATION_TYPES = ("int8", "int4", "int2", "none")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Layers whose name matches `pattern` (re.fullmatch) get `scheme`.

    A scheme is an integer format's name (`block-int4-32-f16`, `int8-dynamic`), "float16" (stored
    in two bytes, computed in float32) or "float".
    """

    pattern: str
    scheme: str
    why: str


@dataclass(frozen=True, kw_only=True)
class PlanEntry:
    name: str
    scheme: str
    why: str


@dataclass(frozen=True)
class Plan:
    """One entry per quantizable layer of a model, in the model's order."""

    layers: tuple[PlanEntry, ...]

    def quantized(self) -> dict[str, Scheme]:
        """Planned layer -> scheme, without those that stay float."""
        return {e.name: parse_scheme(e.scheme) for e in self.layers if e.scheme not in UNQUANTIZED}

    def half(self) -> list[str]:
        """The layers that stay float and are stored in float16."""
        return [e.name for e in self.layers if e.scheme == half.NAME]

    def write(self, folder: Path) -> None:
        layers = [asdict(entry) for entry in self.layers]
        write_json(folder / PLAN_NAME, {"version": PLAN_VERSION, "layers": layers})


def default_rules(quantization_type: str, block_size: int) -> list[Rule]:
    """The rules of a quantization type; empty for `none`."""
    if quantization_type not in QUANTIZATION_TYPES:
        raise InputError(
            f"quantization_type={quantization_type!r}: expected one of "
            f"{', '.join(QUANTIZATION_TYPES)}{nearest(quantization_type, QUANTIZATION_TYPES)}"
        )
    if quantization_type == "none":
        return []
    bits = int(quantization_type.removeprefix("int"))
    table = BlockScheme(8, block_size, "float16").name
    rest = BlockScheme(bits, block_size, "float16").name
    return [
        Rule(
            pattern="|".join(map(re.escape, STORED)),
            scheme=half.NAME,
            why="convolutions and positions: about 1 % of the weights, products in float32",
        ),
        Rule(pattern=TOKEN_TABLE, scheme=table, why="token table and tied output head: 8 bits"),
        Rule(pattern=".*", scheme=rest, why=f"default of {quantization_type}"),
    ]


def quantizable(model: nn.Module) -> list[str]:
    """Names of the layers that a plan speaks about.

    Every Linear, the tied head by its table, and what is only stored smaller (`STORED`).
    """
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and n != HEAD]
    return [*linear, TOKEN_TABLE, *STORED]


def check_scheme(rule: Rule, where: str) -> None:
    """InputError for a rule whose pattern or scheme is not one."""
    try:
        re.compile(rule.pattern)
        if rule.scheme not in UNQUANTIZED:
            parse_scheme(rule.scheme)
    except re.error as error:
        raise InputError(f"{where}: pattern {rule.pattern!r} is malformed ({error})") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def plan(model: nn.Module, rules: Sequence[Rule]) -> Plan:
    """The plan that `rules` give for `model`; a layer that no rule matches stays float.

    Raises InputError for a rule that matches no layer: it is a misspelt pattern.
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
    if not isinstance(parse_scheme(scheme), BlockScheme):
        raise InputError(
            f"{where}: {TOKEN_TABLE} (with its tied head) is float or a block scheme, not "
            f"{scheme}; put a rule of its own before"
        )


def read_plan(folder: Path) -> Plan:
    """The plan saved in `folder`; InputError when it is of another version or malformed."""
    path = folder / PLAN_NAME
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != PLAN_VERSION:
        raise InputError(f"{path}: not a plan of version {PLAN_VERSION}")
    try:
        result = Plan(tuple(PlanEntry(**entry) for entry in content["layers"]))
        result.quantized()
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: malformed plan ({error})") from None
    return result


def apply_plan(model: nn.Module, plan: Plan) -> None:
    """Replace the planned layers of `model` in place by fake-quantized ones, weights shared.

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
                f"plan: {name!r} is float or an integer scheme; {half.NAME} is not built"
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
        # Tied or not is the checkpoint's choice; quantizing two tables would store two.
        if head.weight is not layer.weight:
            raise InputError(f"plan: {HEAD} does not share the weight of {TOKEN_TABLE}")
        _set(model, HEAD, FakeQuantLinear(layer.weight, head.bias, scheme))
        _set(model, name, FakeQuantEmbedding(layer.weight, scheme))
    else:
        _set(model, name, FakeQuantLinear(layer.weight, layer.bias, scheme))


def _set(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layer)
