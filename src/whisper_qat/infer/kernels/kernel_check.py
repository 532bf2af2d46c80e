"""Do this machine's kernels compute what the model was trained with? One small product tells.

Each scheme has its probe (the part `kernel_check` of its record). Inputs hold exact ties, negative
extrema and zeros: random ones cannot see a rounding rule. A second product tells whether a row has
the same bits beside others.
"""

import warnings
from typing import Protocol

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class KernelMismatch(UserWarning):
    """A kernel of this runtime or CPU rounds otherwise than the training did."""


class KernelCheck(Protocol):
    """The part `kernel_check` of a record."""

    def fault(self, scheme: Scheme, *, in_branch: bool = False) -> str | None:
        """What the kernel does otherwise than training did, None when nothing.

        `in_branch` also asks for products inside a branch of `If`.
        """

    def same_bits_beside_others(self, scheme: Scheme) -> bool:
        """Does a row of a call have the same bits whatever rows are beside it?"""


def check_kernel(scheme: Scheme, *, in_branch: bool = False) -> bool:
    """True when the kernel of `scheme` gives the expected values; else warns KernelMismatch.

    `in_branch`: products run inside a branch of `If`, too, as in the merged decoder.
    """
    found = _check(scheme).fault(scheme, in_branch=in_branch)
    if found is None:
        return True
    warnings.warn(
        f"{scheme.name}: {found}; results will differ from the trained model's",
        KernelMismatch,
        stacklevel=2,
    )
    return False


def same_bits_beside_others(scheme: Scheme) -> bool:
    """Does this machine give a row of a call the same bits whatever rows are beside it?"""
    return _check(scheme).same_bits_beside_others(scheme)


def _check(scheme: Scheme) -> KernelCheck:
    check: KernelCheck = part(scheme, "kernel_check")
    return check
