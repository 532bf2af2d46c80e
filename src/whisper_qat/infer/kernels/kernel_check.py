"""Check with a small product whether this machine's kernels compute as the model was trained.

Each scheme has its own probe (`kernel_check` in its record). Inputs contain exact ties, negative
extrema and zeros, as random inputs cannot reveal a rounding rule. A second product checks whether
a row's result is bit-identical in a batch.
"""

import warnings
from typing import Protocol

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class KernelMismatch(UserWarning):
    """Warning: a kernel of this runtime or CPU rounds differently from training."""


class KernelCheck(Protocol):
    """Interface of `kernel_check` in a scheme's record."""

    def fault(self, scheme: Scheme, *, in_branch: bool = False) -> str | None:
        """How the kernel differs from training; None when it does not.

        `in_branch` also probes products inside a branch of `If`.
        """

    def same_bits_beside_others(self, scheme: Scheme) -> bool:
        """Whether a row's result is bit-identical whatever other rows are in the call."""


def check_kernel(scheme: Scheme, *, in_branch: bool = False) -> bool:
    """True when the kernel of `scheme` gives the expected values; else warns KernelMismatch.

    `in_branch`: also probe products inside a branch of `If`, as in the merged decoder.
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
    """Whether a row's result is bit-identical on this machine whatever else is in the call."""
    return _check(scheme).same_bits_beside_others(scheme)


def _check(scheme: Scheme) -> KernelCheck:
    check: KernelCheck = part(scheme, "kernel_check")
    return check
