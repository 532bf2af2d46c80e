"""Inputs that can fail: ties, extremes, one-sided ranges, zeros, K not a multiple of the block."""

import numpy as np


def weights(seed: int) -> dict[str, np.ndarray]:
    """Named weight matrices [N, K] float32."""
    rng = np.random.default_rng(seed)
    grid = rng.integers(-16, 17, (40, 256)).astype(np.float32) / 2
    fine = rng.integers(-256, 257, (40, 256)).astype(np.float32) / 32
    zeros = rng.standard_normal((8, 128)).astype(np.float32)
    zeros[:, :64] = 0
    return {
        "normal": rng.standard_normal((24, 256)).astype(np.float32),
        "tie-grid": grid,
        "fine-tie-grid": fine,
        "negative-extreme": np.float32(-1) * np.abs(grid),
        "one-sided": np.abs(fine),
        "equal-extremes": np.tile(np.float32([1, -1, 0.5, -0.5]), (3, 64)),
        "zero-blocks": zeros,
        "all-zero": np.zeros((3, 128), np.float32),
        "one-element": np.eye(4, 128, dtype=np.float32) * 3,
        "large": (rng.standard_normal((8, 128)) * 1e30).astype(np.float32),
        "small": (rng.standard_normal((8, 128)) * 1e-30).astype(np.float32),
        "ragged-k": rng.standard_normal((8, 200)).astype(np.float32),
    }


def activations(seed: int) -> dict[str, np.ndarray]:
    """Named activations [M, K] float32."""
    rng = np.random.default_rng(seed + 1)
    ties = (rng.integers(-254, 255, (40, 128)) / 2).astype(np.float32)
    ties[:, ::16] = 127  # amax = 127 makes the multiplier 1, so every half is a tie
    outlier = rng.standard_normal((8, 128)).astype(np.float32)
    outlier[:, 3] *= 40
    return {
        "normal": rng.standard_normal((24, 256)).astype(np.float32),
        "ties": ties,
        "scaled-ties": ties * np.float32(0.3),
        "outlier-channel": outlier,
        "one-sided": np.abs(outlier),
        "negative": -np.abs(outlier),
        "all-zero": np.zeros((3, 128), np.float32),
        "one-element": np.eye(4, 128, dtype=np.float32) * -3,
        "large": outlier * np.float32(1e30),
        "small": outlier * np.float32(1e-30),
        "ragged-k": rng.standard_normal((8, 200)).astype(np.float32),
        "one-row": rng.standard_normal((1, 512)).astype(np.float32),
    }
