"""Activation codes, seen through the kernels: weights that pick one column each return them.

Two questions: does a code differ from torch's, and, where the scheme promises that equal rows get
equal codes whatever else is in the call (batch, padding, step), does one move when its row comes
alone. How a scheme's kernel is asked is the part `parity` of its record.
"""

from typing import Protocol

from torch import Tensor

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class CodeProbe(Protocol):
    """The part `parity` of a record: the functions of this module."""

    def count_wrong(self, x: Tensor, scheme: Scheme) -> int: ...
    def count_moved(self, x: Tensor, scheme: Scheme) -> int: ...


def count_wrong(x: Tensor, scheme: Scheme) -> int:
    """Codes of `x` [M, K], one kernel call, that the kernel rounds otherwise than torch."""
    return _probe(scheme).count_wrong(x, scheme)


def count_moved(x: Tensor, scheme: Scheme) -> int:
    """Codes of a few rows of `x` [M, K] that the kernel changes when a row comes alone.

    0 where the scheme promises nothing.
    """
    return _probe(scheme).count_moved(x, scheme)


def _probe(scheme: Scheme) -> CodeProbe:
    probe: CodeProbe = part(scheme, "parity")
    return probe
