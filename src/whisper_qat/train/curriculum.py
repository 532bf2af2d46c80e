"""Curriculum: increasingly coarse grids, e.g. float -> int8, before the planned grid (int4).

Written as `float:0.1,int8:0.3`: the first 10 % of the steps in float, the next 30 % with 8-bit
weights, the rest as planned. The stage is a function of the step alone, so a resumed run
continues in the same stage. A layer whose planned grid is as fine as a stage's keeps its own.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.quant.scheme import FLOAT, Scheme

STAGES = (FLOAT, "int8", "int4")


@dataclass(frozen=True)
class Stage:
    """One stage: `quantization` (float, int8 or int4) for `share` of the run's steps."""

    quantization: str
    share: float


def parse(text: str) -> tuple[Stage, ...]:
    """Parse `float:0.1,int8:0.3` into stages, "" into (); InputError for any other form."""
    stages = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(rf"\s*({'|'.join(STAGES)}):(0?\.\d+)\s*", part)
        if match is None:
            raise InputError(
                f"curriculum={text!r}: {part.strip()!r} is not STAGE:SHARE with a stage of "
                f"{', '.join(STAGES)} and a share below 1, as in float:0.1,int8:0.3"
            )
        stages.append(Stage(match[1], float(match[2])))
    if sum(stage.share for stage in stages) >= 1:
        raise InputError(f"curriculum={text!r}: the shares leave no step for the plan itself")
    return tuple(stages)


class Curriculum:
    """The stages of one run on `model`; `start` is called when the planned grid begins."""

    def __init__(
        self, model: nn.Module, stages: tuple[Stage, ...], start: Callable[[], None] | None
    ) -> None:
        self.model, self.stages, self.start = model, stages, start

    def begin_step(self, step: int, total: int) -> None:
        """Put the model into the stage of `step` (from 0); calls `start` when the plan begins."""
        ends = self._ends(total)
        now = next((i for i, end in enumerate(ends) if step < end), len(ends))
        _enter(self.model, self.stages[now].quantization if now < len(ends) else None)
        if ends and step == ends[-1] and self.start is not None:
            self.start()

    def _ends(self, total: int) -> list[int]:
        shares = [stage.share for stage in self.stages]
        return [round(total * sum(shares[: i + 1])) for i in range(len(shares))]

    @contextmanager
    def as_planned(self) -> Iterator[None]:
        """Let the model follow its plan within the block, whatever the stage, for evaluations."""
        layers = list(fake_quantized(self.model).values())
        stages = [layer.stage for layer in layers]
        _enter(self.model, None)
        try:
            yield
        finally:
            for layer, stage in zip(layers, stages, strict=True):
                layer.stage = stage


def _enter(model: nn.Module, quantization: str | None) -> None:
    for layer in fake_quantized(model).values():
        layer.stage = _stage_scheme(layer, quantization)


def _stage_scheme(layer: FakeQuantWeight, quantization: str | None) -> Scheme | str | None:
    if quantization is None or quantization == FLOAT:
        return quantization
    bits = int(quantization.removeprefix("int"))
    return layer.scheme.with_bits(bits) if bits > layer.scheme.bits else None
