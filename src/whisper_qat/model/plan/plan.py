"""The plan as data: how and why each layer is quantized, and the rules that decide it.

Torch is not imported: inference reads a plan to know which kernels to check. Applying a plan to a
model is in `model.fake_quant.prepare`. `model.decoder.embed_tokens` stands for the token table and
for the output head `proj_out`, which share one weight in every Whisper.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_qat.errors import InputError, nearest
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import FLOAT16, UNQUANTIZED, Scheme
from whisper_qat.runs.folders import read_json, write_json

PLAN_NAME = "plan.json"
PLAN_VERSION = 1
TOKEN_TABLE = "model.decoder.embed_tokens"
HEAD = "proj_out"
STORED = (
    "model.encoder.conv1", "model.encoder.conv2",
    "model.encoder.embed_positions", "model.decoder.embed_positions",
)  # fmt: skip
# Layers whose products have many rows in one call: all positions of the encoder.
MANY_ROWS = r"model\.encoder\..*|model\.decoder\..*\.encoder_attn\.[kv]_proj"
# Type -> scheme of these layers, where it is not the block scheme of the others, and the others'
# bits. By measurement (docs/log/): rows are faster on every kind of CPU than blocks of 8 bits.
ROW_SCHEMES = {"int8": ("int8-row", 8), "int3": ("int3-row", 4)}
QUANTIZATION_TYPES = ("int8", "int4", "int3", "int2", "none")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a plan: layers whose name matches `pattern` (re.fullmatch) get `scheme`.

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
        """Map each quantized layer to its scheme; layers that stay float are omitted."""
        return {e.name: parse_scheme(e.scheme) for e in self.layers if e.scheme not in UNQUANTIZED}

    def half(self) -> list[str]:
        """List the layers that stay float and are stored in float16."""
        return [e.name for e in self.layers if e.scheme == FLOAT16]

    def write(self, folder: Path) -> None:
        layers = [asdict(entry) for entry in self.layers]
        write_json(folder / PLAN_NAME, {"version": PLAN_VERSION, "layers": layers})


def block_rules(bits: int, block_size: int, why: str) -> list[Rule]:
    """Return rules with blocks everywhere, 8 bits for the token table; a type's former default."""
    return [
        Rule(
            pattern="|".join(map(re.escape, STORED)),
            scheme=FLOAT16,
            why="convolutions and positions: about 1 % of the weights, products in float32",
        ),
        Rule(
            pattern=TOKEN_TABLE,
            scheme=BlockScheme(8, block_size, "float16").name,
            why="token table and tied output head: 8 bits",
        ),
        Rule(pattern=".*", scheme=BlockScheme(bits, block_size, "float16").name, why=why),
    ]


def default_rules(quantization_type: str, block_size: int) -> list[Rule]:
    """Return the default rules of a quantization type; empty for `none`."""
    if quantization_type not in QUANTIZATION_TYPES:
        raise InputError(
            f"quantization_type={quantization_type!r}: expected one of "
            f"{', '.join(QUANTIZATION_TYPES)}{nearest(quantization_type, QUANTIZATION_TYPES)}"
        )
    if quantization_type == "none":
        return []
    bits, why = int(quantization_type.removeprefix("int")), f"default of {quantization_type}"
    if quantization_type not in ROW_SCHEMES:
        return block_rules(bits, block_size, why)
    scheme, others = ROW_SCHEMES[quantization_type]
    *first, last = block_rules(others, block_size, "decoder steps of one token")
    return [*first, Rule(pattern=MANY_ROWS, scheme=scheme, why=f"{why}: many rows a call"), last]


def check_scheme(rule: Rule, where: str) -> None:
    """InputError for a rule with a malformed pattern or an unknown scheme."""
    try:
        re.compile(rule.pattern)
        if rule.scheme not in UNQUANTIZED:
            parse_scheme(rule.scheme)
    except re.error as error:
        raise InputError(f"{where}: pattern {rule.pattern!r} is malformed ({error})") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def read_plan(folder: Path) -> Plan:
    """Read the plan saved in `folder`; InputError for another version or a malformed plan."""
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
