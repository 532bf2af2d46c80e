"""Activation codes read from the kernels' output, using weights that select one column each.

Two checks: does a code differ from torch's; and, where the scheme guarantees that equal rows get
equal codes whatever else is in the call (batch, padding, step), does a code change when its row is
run alone. How a scheme's kernel is probed is defined by `parity` in its record.
"""

from typing import Protocol

from torch import Tensor

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class CodeProbe(Protocol):
    """Interface of `parity` in a scheme's record: the functions of this module."""

    def count_wrong(self, x: Tensor, scheme: Scheme) -> int: ...
    def count_moved(self, x: Tensor, scheme: Scheme) -> int: ...


def count_wrong(x: Tensor, scheme: Scheme) -> int:
    """Number of codes of `x` [M, K] in one call that the kernel rounds differently from torch."""
    return _probe(scheme).count_wrong(x, scheme)


def count_moved(x: Tensor, scheme: Scheme) -> int:
    """Number of codes in a few rows of `x` [M, K] that change when a row is run alone.

    0 where the scheme guarantees nothing.
    """
    return _probe(scheme).count_moved(x, scheme)


def _probe(scheme: Scheme) -> CodeProbe:
    probe: CodeProbe = part(scheme, "parity")
    return probe
