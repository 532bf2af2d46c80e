"""Mel filters: transformers' own, and the shape that their definition gives."""

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank

from whisper_qat.data.audio.mel_filters import hz, mel_filters, mels


@pytest.mark.parametrize("n_mels", [80, 128])
def test_equal_to_transformers(n_mels):
    expected = mel_filter_bank(201, n_mels, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    # float64 rounding: another order of the same operations.
    np.testing.assert_allclose(mel_filters(201, n_mels), expected, rtol=1e-11, atol=1e-15)


def test_the_scale_and_its_inverse():
    assert mels(500.0) == 7.5 and mels(1000.0) == 15.0 and mels(6400.0) == pytest.approx(42.0)
    frequencies = np.array([0.0, 440.0, 1000.0, 5000.0, 8000.0])
    back = hz(np.array([mels(f) for f in frequencies]))
    np.testing.assert_allclose(back, frequencies, rtol=1e-12)
