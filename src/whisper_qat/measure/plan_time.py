"""How long a model's products take under each plan on this machine, and the bytes of each plan.

A plan gives every layer a scheme, and a layer's product has one of a few shapes, so each shape is
timed once with every scheme that some plan gives to it, in turn. The times of a clip are sums:
layers that run once a clip have as many rows as the encoder has positions, all others one row per
token. What is the same in every plan (attention, norms, convolutions) is not timed.

Only the model's shape counts, so its weights are not read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.measure.matmul_time import REPEATS, ProductShape, milliseconds
from whisper_qat.model.fake_quant.prepare import plan
from whisper_qat.model.plan.plan import HEAD, MANY_ROWS, STORED, TOKEN_TABLE, Plan, Rule
from whisper_qat.quant.packing import stored_bytes
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import FLOAT, FLOAT16, UNQUANTIZED, Scheme

LARGE = 10**9  # multiplications, from which on a product is repeated less often
FEW_REPEATS = 5
BYTES = {FLOAT: 4, FLOAT16: 2}

Timer = Callable[[ProductShape, list[Scheme | None], int, int], list[float]]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A typical clip: positions that the encoder computes, and tokens that the decoder writes."""

    name: str
    positions: int
    tokens: int


CLIPS = (
    Clip(name="30 s", positions=1500, tokens=100),
    Clip(name="5 s, trained short", positions=400, tokens=17),
)


@dataclass(frozen=True, kw_only=True)
class PlanTime:
    """One plan: bytes of its weights, and milliseconds of its products for each clip."""

    name: str
    bytes: int
    milliseconds: dict[str, float]
    schemes: dict[str, str]  # group of layers -> scheme


class Products:
    """The products of a Whisper of that `config`, timed on `threads` threads."""

    def __init__(
        self, config: Mapping[str, Any], threads: int, timer: Timer = milliseconds
    ) -> None:
        with torch.device("meta"):  # shapes and names, without memory for the weights
            self._model = WhisperForConditionalGeneration(WhisperConfig(**config))
        self._threads = threads
        self._timer = timer

    @property
    def fp32_bytes(self) -> int:
        """Bytes of all parameters in float32, tied ones counted once."""
        return 4 * sum(p.numel() for p in self._model.parameters())

    def measure(
        self, plans: Mapping[str, list[Rule]], progress: Callable[[int, int], None]
    ) -> list[PlanTime]:
        """Time all plans; `progress` is called with shapes done and all shapes."""
        made = {name: plan(self._model, rules) for name, rules in plans.items()}
        products = {name: self._products(one) for name, one in made.items()}
        wanted: dict[ProductShape, list[Scheme | None]] = {}
        for clip in CLIPS:
            for layers in products.values():
                for layer, (shape, scheme) in layers.items():
                    sized = _in_clip(layer, shape, clip)
                    known = wanted.setdefault(sized, [])
                    if scheme not in known:
                        known.append(scheme)
        times: dict[tuple[ProductShape, Scheme | None], float] = {}
        for done, (sized, schemes) in enumerate(wanted.items()):
            progress(done, len(wanted))
            large = sized.rows * sized.out_features * sized.in_features > LARGE
            found = self._timer(sized, schemes, self._threads, FEW_REPEATS if large else REPEATS)
            times |= {(sized, s): t for s, t in zip(schemes, found, strict=True)}
        progress(len(wanted), len(wanted))
        return [
            PlanTime(
                name=name,
                bytes=self._bytes(one),
                milliseconds={clip.name: _sum(products[name], clip, times) for clip in CLIPS},
                schemes=_by_group(one),
            )
            for name, one in made.items()
        ]

    def _products(self, made: Plan) -> dict[str, tuple[tuple[int, int], Scheme | None]]:
        """Layer -> weight shape [N, K] and scheme; the table's product is the head."""
        return {
            HEAD if entry.name == TOKEN_TABLE else entry.name: (
                tuple(self._model.get_submodule(entry.name).weight.shape),
                None if entry.scheme in UNQUANTIZED else parse_scheme(entry.scheme),
            )
            for entry in made.layers
            if entry.name not in STORED
        }

    def _bytes(self, made: Plan) -> int:
        planned = 0
        size = 0
        for entry in made.layers:
            shape = self._model.get_submodule(entry.name).weight.shape
            planned += shape.numel()
            if entry.scheme in UNQUANTIZED:
                size += BYTES[entry.scheme] * shape.numel()
            else:
                size += stored_bytes(shape[0], shape[1:].numel(), parse_scheme(entry.scheme))
        others = sum(p.numel() for p in self._model.parameters()) - planned
        return size + 4 * others  # biases and norms


def _in_clip(layer: str, shape: tuple[int, int], clip: Clip) -> ProductShape:
    many = re.fullmatch(MANY_ROWS, layer) is not None
    return ProductShape(clip.positions if many else 1, *shape)


def _sum(
    layers: Mapping[str, tuple[tuple[int, int], Scheme | None]],
    clip: Clip,
    times: Mapping[tuple[ProductShape, Scheme | None], float],
) -> float:
    total = 0.0
    for layer, (shape, scheme) in layers.items():
        sized = _in_clip(layer, shape, clip)
        total += times[sized, scheme] * (clip.tokens if sized.rows == 1 else 1)
    return total


def _by_group(made: Plan) -> dict[str, str]:
    """The most frequent scheme of the encoder with cross keys, of the decoder, and the table's."""
    groups: dict[str, list[str]] = {"encoder": [], "decoder": [], "table and head": []}
    for entry in made.layers:
        if entry.name == TOKEN_TABLE:
            groups["table and head"].append(entry.scheme)
        elif entry.name not in STORED:
            many = re.fullmatch(MANY_ROWS, entry.name) is not None
            groups["encoder" if many else "decoder"].append(entry.scheme)
    return {group: max(set(found), key=found.count) for group, found in groups.items()}
