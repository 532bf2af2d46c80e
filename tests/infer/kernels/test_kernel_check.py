"""The check at load: each scheme's own probe is asked, and what it finds is a named warning."""

import pytest

from whisper_qat.infer.kernels import block_check, dynamic_check, row_check
from whisper_qat.infer.kernels.kernel_check import (
    KernelMismatch,
    check_kernel,
    same_bits_beside_others,
)
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme

PROBES = {BlockScheme(): block_check, DynamicScheme(): dynamic_check, RowScheme(): row_check}


@pytest.mark.parametrize("scheme", PROBES, ids=lambda scheme: scheme.name)
def test_what_the_scheme_s_probe_finds_is_a_warning(monkeypatch, scheme):
    asked = []

    def fault(scheme, *, in_branch=False):
        asked.append((scheme, in_branch))
        return "it rounds down" if in_branch else None

    monkeypatch.setattr(PROBES[scheme], "fault", fault)
    assert check_kernel(scheme)
    with pytest.warns(KernelMismatch, match=f"^{scheme.name}: it rounds down; results will differ"):
        assert not check_kernel(scheme, in_branch=True)
    assert asked == [(scheme, False), (scheme, True)]


def test_each_scheme_says_whether_a_row_has_its_bits_beside_others():
    assert not same_bits_beside_others(DynamicScheme()) and same_bits_beside_others(RowScheme())
    block = BlockScheme(8, 32)
    assert same_bits_beside_others(block) is block_check.same_bits_beside_others(block)
