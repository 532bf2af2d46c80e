"""Fit a plan into one integer format per file: keep trained codes, else refuse or requantize.

CTranslate2 and whisper.cpp support one weight type per model. A layer that was trained on another
grid is requantized only on request: from the values that training used, rounded to nearest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whisper_qat.errors import InputError
from whisper_qat.export.source import parameters
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.model.plan.plan import HEAD, STORED, Plan
from whisper_qat.quant import numerics
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import UNQUANTIZED, Scheme

Fits = Callable[[Scheme], bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class SignedCodes:
    """`codes` int8 [N, K] around 0 and `scales` float32 [N, blocks of `block_length` along K]."""

    codes: np.ndarray
    scales: np.ndarray
    block_length: int


def misfits(plan: Plan, fits: Fits) -> dict[str, str]:
    """Matrix -> scheme, for the plan's matrices that are float or that the file cannot hold."""
    matrices = [entry for entry in plan.layers if entry.name not in STORED]
    return {
        e.name: e.scheme
        for e in matrices
        if e.scheme in UNQUANTIZED or not fits(parse_scheme(e.scheme))
    }


def check_kept(misfits: Mapping[str, str], requantize: bool, *, format: str, holds: str) -> None:
    """InputError for a plan with `misfits`, unless they are to be requantized."""
    if not misfits or requantize:
        return
    name, scheme = next(iter(misfits.items()))
    more = f" and {len(misfits) - 1} more" if len(misfits) > 1 else ""
    raise InputError(
        f"--format {format}: cannot keep {name} ({scheme}){more}; the file holds {holds}; "
        "pass --requantize to round anew what differs"
    )


def check_quantized(final: Final, requantize: bool) -> None:
    """InputError when `requantize` is set for a float checkpoint, which stays float."""
    if requantize and final.plan is None:
        raise InputError(
            "--requantize: the checkpoint is float and is written in float32; leave it out"
        )


class Matrices:
    """The 2-D weights of a checkpoint, token table included, in one integer format each."""

    def __init__(self, final: Final, rounded: Mapping[str, str], scheme: Scheme) -> None:
        """The layers named in `rounded` are rounded to `scheme`; the others keep their codes."""
        self._layers = {n: m for n, m in fake_quantized(final.model).items() if n != HEAD}
        self._floats = parameters(final)
        self._rounded = rounded
        self._scheme = scheme

    def codes(self, layer: str) -> SignedCodes:
        """The codes of `layer`, trained or requantized."""
        with torch.no_grad():
            if layer not in self._rounded:
                kept = self._layers[layer]
                weight = kept.weight
                return signed(kept.codes(), kept.scale(), kept.scheme, weight.shape[1])
            values = self._values(layer)
            verbs = numerics.of_weight(self._scheme)
            scale, _ = verbs.choose_params(values, self._scheme)
            codes = verbs.quantize(values, scale, self._scheme)
            return signed(codes, scale, self._scheme, values.shape[1])

    def _values(self, layer: str) -> Tensor:
        module: FakeQuantWeight | None = self._layers.get(layer)
        if module is not None:
            return module.quantized_weight()
        return torch.from_numpy(self._floats[f"{layer}.weight"])


def signed(codes: Tensor, scale: Tensor, scheme: Scheme, in_features: int) -> SignedCodes:
    """Signed codes from stored ones [N, blocks * block]: no zero point, no padding beyond K."""
    centred = codes[:, :in_features].to(torch.int16) - scheme.zero_point
    return SignedCodes(
        codes=centred.to(torch.int8).numpy(),
        scales=scale.float().numpy(),
        block_length=scheme.block_length(in_features),
    )
