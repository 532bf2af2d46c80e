"""Whisper's mel filters: triangles of equal area on Slaney's mel scale, from 0 Hz to 8 kHz.

The scale is linear up to 1 kHz and logarithmic above (Slaney, Auditory Toolbox, 1998). They are
computed here because the libraries that offer them load torch or numba; the result equals that of
transformers (tested).
"""

import numpy as np
from numpy.typing import NDArray

HIGHEST_HZ = 8000.0  # half of 16 kHz
CORNER_HZ = 1000.0
MELS_AT_CORNER = 15.0
MELS_PER_E = 27.0 / np.log(6.4)  # above the corner 27 steps are a factor of 6.4


def mel_filters(num_bins: int, n_mels: int) -> NDArray[np.float64]:
    """Filter weights, float64 [num_bins, n_mels], at `num_bins` frequencies from 0 to 8 kHz."""
    edges = hz(np.linspace(0.0, mels(HIGHEST_HZ), n_mels + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0.0, HIGHEST_HZ, num_bins)[:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


def mels(frequency_hz: float) -> float:
    """Convert a frequency in Hz to mels."""
    if frequency_hz < CORNER_HZ:
        return frequency_hz / CORNER_HZ * MELS_AT_CORNER
    return MELS_AT_CORNER + MELS_PER_E * float(np.log(frequency_hz / CORNER_HZ))


def hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert mels to frequencies in Hz; the inverse of `mels`."""
    linear = mel / MELS_AT_CORNER * CORNER_HZ
    logarithmic = CORNER_HZ * np.exp((mel - MELS_AT_CORNER) / MELS_PER_E)
    return np.where(mel < MELS_AT_CORNER, linear, logarithmic)
