"""Peak memory grows with the memory of this program and is not inherited from its parent."""

import numpy as np

from whisper_qat.measure.peak_memory import peak_rss_bytes
from whisper_qat.runs.child_process import in_child

MIB = 2**20


def test_peak_grows_with_what_was_held():
    before = peak_rss_bytes()
    block = np.ones((before // MIB + 64) * MIB // 8)  # more than the peak so far, whatever it was
    assert peak_rss_bytes() > before
    assert peak_rss_bytes() >= block.nbytes


def test_a_child_does_not_inherit_the_parents_peak():
    block = np.ones(300 * MIB // 8)
    assert in_child(peak_rss_bytes) < block.nbytes < peak_rss_bytes()
