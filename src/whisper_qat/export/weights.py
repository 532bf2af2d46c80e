"""Weights for the graphs: float tensors and quantized weights by layer name, with a usage check.

Independent of torch: a mapping may compute its values on demand, so that one layer is in memory at
a time. A weight left unused once both graphs are built is a mistake, and raises.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from whisper_qat.errors import InputError
from whisper_qat.quant.packing import pack_scales, packed_dtype, packed_shape
from whisper_qat.quant.scheme import Scheme


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedWeight:
    """Codes and scales as the scheme's kernel reads them; the scheme defines the zero point.

    `packed` has the scheme's own layout (`quant.packing`): for a block scheme uint8
    [N, blocks, block_size * bits / 8], for a channel scheme int8 [K, N]. `scales` is float32
    [N, blocks].
    """

    packed: np.ndarray
    scales: np.ndarray
    scheme: Scheme
    in_features: int

    def __post_init__(self) -> None:
        rows, blocks = self.out_features, self.scheme.num_blocks(self.in_features)
        expected = packed_shape(rows, self.in_features, self.scheme)
        assert self.packed.dtype == packed_dtype(self.scheme), self.packed.dtype
        assert self.packed.shape == expected, self.packed.shape
        assert self.scales.dtype == np.float32 and self.scales.shape == (rows, blocks)

    @property
    def out_features(self) -> int:
        return len(self.scales)

    def stored_scales(self, layer: str) -> np.ndarray:
        """The scales in the kernel's type and shape; InputError when the conversion would round."""
        stored = self.scales
        if self.scheme.scale_dtype == "float16":
            stored = exact_half(stored, f"{layer}.scales")
        return pack_scales(stored, self.scheme)


class Weights:
    """The parameters of a Whisper model under transformers' names; records which were used."""

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        quantized: Mapping[str, QuantizedWeight],
        planned: Collection[str] = (),
        half: Collection[str] = (),
    ) -> None:
        """`planned` names every layer of the plan, float ones too; empty when there is no plan.

        `half` names the layers whose weight is stored in float16.
        """
        self._tensors = tensors
        self._quantized = quantized
        self._planned = set(planned) | set(quantized)
        self._half = set(half)
        self._unused = set(tensors)
        self._built: set[str] = set()

    def tensor(self, name: str) -> np.ndarray:
        """The float tensor `name` as float32."""
        if name not in self._unused:
            raise InputError(f"checkpoint: no tensor {name!r}")
        self._unused.remove(name)
        return np.asarray(self._tensors[name], dtype=np.float32)

    def stored(self, layer: str) -> np.ndarray:
        """The weight of the float layer `layer` as stored in the file: float32 or float16."""
        if layer in self._planned:
            self._built.add(layer)
        weight = self.tensor(f"{layer}.weight")
        return exact_half(weight, layer) if layer in self._half else weight

    def quantized(self, layer: str) -> QuantizedWeight | None:
        """The codes of the linear layer or table `layer`, None when it stays float."""
        assert layer not in self._built, f"{layer} built twice"
        self._built.add(layer)
        if layer not in self._quantized:
            return None
        self._unused.discard(f"{layer}.weight")
        return self._quantized[layer]

    def check_all_used(self) -> None:
        """Raises InputError unless plan, checkpoint and graphs have the same layers."""
        if missing := self._planned - self._built:
            raise InputError(f"plan: no such layer in the graphs: {_listed(missing)}")
        if self._planned and (extra := self._built - self._planned):
            raise InputError(f"plan: no entry for {_listed(extra)}")
        if self._unused:
            raise InputError(
                f"checkpoint: tensors with no place in Whisper: {_listed(self._unused)}"
            )

    @property
    def fp32_bytes(self) -> int:
        """Size of all parameters in float32, tied ones counted once."""
        return sum(4 * int(np.prod(np.shape(tensor))) for tensor in self._tensors.values())


def exact_half(array: np.ndarray, name: str) -> np.ndarray:
    """`array` as float16; InputError when that would round, as training used the exact values."""
    half = array.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), array):
        raise InputError(f"checkpoint: {name!r} is planned for float16 and holds other values")
    return half


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
