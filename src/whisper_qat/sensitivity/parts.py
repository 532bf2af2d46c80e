"""Parts: named groups of layers that a sensitivity analysis quantizes one at a time.

Layers are grouped by kind (every fc1 of the encoder, every cross-attention k of the decoder ...),
by layer, by matrix, or by side (encoder, decoder). The token table counts as two parts, the
embedding that reads it and the head that multiplies by it: they share one weight in a file but not
their effect.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from whisper_qat.model.plan.plan import HEAD, STORED, TOKEN_TABLE

BY = ("side", "kind", "layer", "matrix")
MATRIX = re.compile(
    r"model\.(?P<side>encoder|decoder)\.layers\.(?P<layer>\d+)\."
    r"(?:(?P<attention>self_attn|encoder_attn)\.)?(?P<matrix>\w+)"
)
ATTENTION = {"self_attn": "", "encoder_attn": "cross "}


@dataclass(frozen=True)
class Part:
    """A group of layers: a readable `name`, the `pattern` of a plan rule, and the module names."""

    name: str
    pattern: str
    layers: tuple[str, ...]


def parts(names: Sequence[str], by: str) -> list[Part]:
    """Group the quantizable layers `names` of a model into parts, in the model's order."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        match = MATRIX.fullmatch(name)
        if match is not None:
            groups.setdefault(_group(match, by), []).append(name)
        elif name not in (TOKEN_TABLE, *STORED):
            raise ValueError(f"{name}: not a layer of Whisper")
    found = [Part(name, pattern, tuple(layers)) for (name, pattern), layers in groups.items()]
    return [*found, *table_parts()]


def table_parts() -> list[Part]:
    """Return the two uses of the token table, to which a plan can only give the same scheme."""
    table = re.escape(TOKEN_TABLE)
    return [Part("embedding", table, (TOKEN_TABLE,)), Part("head", table, (HEAD,))]


def _group(match: re.Match[str], by: str) -> tuple[str, str]:
    """Return (name, pattern) of the part that a matrix belongs to."""
    side, layer, attention, matrix = match.group("side", "layer", "attention", "matrix")
    word = f"{ATTENTION.get(attention, '')}{matrix.removesuffix('_proj')}"
    inner = f"{attention}\\.{matrix}" if attention else matrix
    start = rf"model\.{side}\.layers\."
    return {
        "side": (side, rf"{start}.*"),
        "kind": (f"{side} {word}", rf"{start}\d+\.{inner}"),
        "layer": (f"{side} layer {layer}", rf"{start}{layer}\..*"),
        "matrix": (f"{side} {layer} {word}", rf"{start}{layer}\.{inner}"),
    }[by]
