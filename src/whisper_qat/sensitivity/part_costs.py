"""The costs of a part, float against quantized: bytes in the file and milliseconds at runtime.

Bytes are those of codes and scales as the exporter stores them, against float32. Milliseconds are
per clip, from timing the exporter's own nodes for each shape: encoder layers and the
cross-attention's k and v run once over the clips' mean encoder length, decoder layers once per
token on one row. The embedding lookup is not timed: it reads one row per token.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from whisper_qat.measure.matmul_time import ProductShape, milliseconds
from whisper_qat.model.plan.plan import HEAD, MANY_ROWS, TOKEN_TABLE
from whisper_qat.ptq.calibration import Sample
from whisper_qat.quant.packing import stored_bytes
from whisper_qat.quant.scheme import Scheme

ONCE_A_CLIP = re.compile(MANY_ROWS)
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Saved:
    """Savings against float32: bytes of the file, and milliseconds per clip."""

    bytes_saved: int
    ms_saved: float


class Costs:
    """The costs of every matrix of a model; each distinct shape is timed only once."""

    def __init__(
        self, shapes: Mapping[str, tuple[int, int]], samples: Sequence[Sample], scheme: Scheme,
        table: Scheme, *, threads: int,
    ) -> None:  # fmt: skip
        self._shapes = {**shapes, HEAD: shapes[TOKEN_TABLE]}
        self._schemes = {n: table if n in (HEAD, TOKEN_TABLE) else scheme for n in self._shapes}
        self._threads = threads
        self._positions = round(mean(sample.mel.shape[-1] / 2 for sample in samples))
        self._tokens = mean(sample.tokens.shape[1] - sample.prompt_length + 1 for sample in samples)
        self._times: dict[tuple[ProductShape, Scheme], float] = {}

    def savings(self, layers: Collection[str]) -> Saved:
        """Savings from quantizing `layers`; the token table's bytes count only once."""
        stored = {TOKEN_TABLE if name == HEAD else name for name in layers}
        size = sum(
            FLOAT_BYTES * int(np.prod(self._shapes[name]))
            - stored_bytes(*self._shapes[name], self._schemes[name])
            for name in stored
        )
        timed = [name for name in layers if name != TOKEN_TABLE]
        return Saved(size, sum(self._milliseconds(name) for name in timed))

    def _milliseconds(self, name: str) -> float:
        once = ONCE_A_CLIP.fullmatch(name) is not None
        shape = ProductShape(self._positions if once else 1, *self._shapes[name])
        key = shape, self._schemes[name]
        if key not in self._times:
            plain, quantized = milliseconds(shape, [None, key[1]], self._threads)
            self._times[key] = plain - quantized
        return self._times[key] * (1 if once else self._tokens)
