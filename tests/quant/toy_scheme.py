"""A scheme that the library does not have: int8, blocks of 64, scales that are powers of two.

All that is its own stands here: its value, the numerics of its weights, and its record. The rest
(activations, packing, nodes, kernel check, parity) is that of block schemes, whose kernel takes any
scale.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from whisper_qat.quant import blocks
from whisper_qat.quant.registry import SchemeRecord
from whisper_qat.quant.straight_through import straight_through


@dataclass(frozen=True)
class PowerOfTwoScheme:
    """Codes 1 .. 255 around 128; a block's scale is the least power of two that clips nothing."""

    name: ClassVar[str] = "int8-power-of-two"
    bits: ClassVar[int] = 8
    block_size: ClassVar[int] = 64
    scale_dtype: ClassVar[str] = "float32"
    zero_point: ClassVar[int] = 128
    min_code: ClassVar[int] = 1
    max_code: ClassVar[int] = 255
    has_lookup: ClassVar[bool] = True
    scales_share_channel: ClassVar[bool] = False
    largest_int8: ClassVar[int] = 0
    codes_depend_on_call: ClassVar[bool] = False

    @classmethod
    def parse(cls, name):
        return cls() if name == cls.name else None

    def block_length(self, in_features):
        return self.block_size

    def num_blocks(self, in_features):
        return -(-in_features // self.block_size)

    def storable(self, scale):
        """The least power of two that is not below |scale|; 0 stays 0."""
        mantissa, _ = scale.abs().frexp()  # scale = mantissa * 2^e, mantissa in [0.5, 1)
        power = scale.abs() / mantissa
        return torch.where(mantissa == 0.5, power / 2, power).masked_fill(scale == 0, 0.0)

    def with_bits(self, bits):
        return None


def choose_params(weight, scheme):
    amax = blocks.split(weight.detach().float(), scheme.block_size).abs().amax(-1)
    return scheme.storable(amax / torch.full_like(amax, 127)), scheme.zero_point


def float_codes(parts, scale, scheme):
    divisor = torch.where(scale == 0, torch.inf, scale)[..., None]
    codes = (parts / divisor).round() + scheme.zero_point
    return codes.clamp(scheme.min_code, scheme.max_code)


def quantize(weight, scale, scheme):
    parts = blocks.split(weight.detach().float(), scheme.block_size)
    return float_codes(parts, scale, scheme).flatten(-2).to(torch.uint8)


def dequantize(codes, scale, scheme):
    parts = blocks.split(codes.float(), scheme.block_size)
    return ((parts - scheme.zero_point) * scale[..., None]).flatten(-2)


def fake_quantize(weight, scheme, scale=None):
    return straight_through(weight, partial(_values, scheme=scheme, scale=scale))


def _values(weight, scheme, scale):
    if scale is None:
        scale, _ = choose_params(weight, scheme)
    return dequantize(quantize(weight, scale, scheme), scale, scheme)[:, : weight.shape[1]]


RECORD = SchemeRecord(
    scheme=PowerOfTwoScheme,
    spelling=PowerOfTwoScheme.name,
    weight=__name__,
    activation="whisper_qat.quant.block_activation",
    packing="whisper_qat.quant.block_scheme",
    nodes="whisper_qat.export.onnx.schemes.block",
    kernel_check="whisper_qat.infer.kernels.block_check",
    parity="whisper_qat.parity.codes.block",
)
