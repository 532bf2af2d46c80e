"""Error of two-level grids on the weights of a checkpoint, by block size and range of the factor.

    python study/two_level_grids.py --model_path data/whisper-base

A two-level weight is channel scale * factor * code. The table has the mean over the linear layers
of squared error over squared weight, in dB (lower is better), beside float16 scales per block. The
factor of each block is the one of least squared error near the block's own best scale, which is
found by least squares; the channel scale gives the largest block the largest factor.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from whisper_qat.quant import blocks, least_squares_scale

SHARE = 4  # every fourth layer is enough for the comparison
STEPS = (-1, 0, 1, 2)


@dataclass(frozen=True)
class Factors:
    """Factors lowest .. highest of blocks of `size` weights, stored in `bits`."""

    size: int
    lowest: int
    highest: int
    bits: int

    @property
    def name(self) -> str:
        return f"block {self.size}, factor {self.lowest} .. {self.highest} ({self.bits} bits)"


def grids(bits: int) -> list[Factors]:
    """What was compared: signed and positive factors whose product with a code fits seven bits."""
    largest = 64 // 2 ** (bits - 1)
    signed = [Factors(size, -8, 7, 4) for size in (16, 32, 64)]
    wide = [Factors(32, 1, largest, 8), Factors(32, -largest, largest, 8)]
    return [*signed, Factors(16, 1, 8, 4), *wide]


def free_scale(weight: Tensor, bits: int, size: int) -> Tensor:
    """The scale of least squared error of each block, of either sign, float32 [N, blocks]."""
    parts = blocks.split(weight, size)
    low, high = torch.aminmax(parts, dim=-1)
    start = torch.where(high.abs() > low.abs(), high, low) / -(2 ** (bits - 1))
    best, error = start, squared_error(parts, start, bits)
    for shrink in least_squares_scale.SHRINK:
        for sign in (1.0, -1.0):
            codes = rounded(parts, start * shrink * sign, bits)
            norm = (codes * codes).sum(-1)
            fitted = torch.where(norm > 0, (codes * parts).sum(-1) / norm.clamp(min=1), start)
            found = squared_error(parts, fitted, bits)
            best = torch.where(found < error, fitted, best)
            error = torch.minimum(found, error)
    return best


def rounded(parts: Tensor, scale: Tensor, bits: int) -> Tensor:
    divisor = torch.where(scale == 0, torch.inf, scale)[..., None]
    return (parts / divisor).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def squared_error(parts: Tensor, scale: Tensor, bits: int) -> Tensor:
    return (rounded(parts, scale, bits) * scale[..., None] - parts).square().sum(-1)


def two_level_error(weight: Tensor, bits: int, grid: Factors) -> float:
    """Squared error of `weight` on the two-level grid."""
    parts, scale = blocks.split(weight, grid.size), free_scale(weight, bits, grid.size)
    channel = scale.abs().amax(-1, keepdim=True) / max(-grid.lowest, grid.highest)
    size = (scale.abs() / channel).floor()
    errors = []
    for step in STEPS:
        for sign in (1, -1):
            factor = ((size + step) * sign).clamp(grid.lowest, grid.highest)
            factor = torch.where(factor == 0, float(max(grid.lowest, 1)), factor)
            errors.append(squared_error(parts, factor * channel, bits))
    return float(torch.stack(errors).amin(0).sum())


def float16_error(weight: Tensor, bits: int, size: int) -> float:
    parts, scale = blocks.split(weight, size), free_scale(weight, bits, size).half().float()
    return float(squared_error(parts, scale, bits).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_path", type=Path, default=Path("data/whisper-base"))
    args = parser.parse_args()
    tensors = load_file(args.model_path / "model.safetensors")
    names = [n for n, t in tensors.items() if t.dim() == 2 and ".layers." in n][::SHARE]
    weights = [tensors[name].float() for name in names]
    for bits in (4, 3, 2):
        rows = {
            f"block {size}, float16 scales": (bits + 16 / size, float16_error, size)
            for size in (16, 32, 64)
        }
        rows |= {g.name: (bits + g.bits / g.size, two_level_error, g) for g in grids(bits)}
        for name, (stored, error, grid) in rows.items():
            shares = [error(w, bits, grid) / float(w.square().sum()) for w in weights]
            decibel = 10 * math.log10(sum(shares) / len(shares))
            print(f"{bits} bits  {name:40s} {stored:.2f} bits a weight  {decibel:7.2f} dB")


if __name__ == "__main__":
    main()
